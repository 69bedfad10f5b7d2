"""The monitor: looks at everything, writes what it sees, and raises alerts."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tfrec.errors import UserError
from tfrec.monitoring.alerts.book import (
    SECONDS_PER_HOUR,
    SECONDS_PER_MINUTE,
    Alert,
    AlertBook,
    Figure,
)
from tfrec.monitoring.alerts.delivery import Sink, deliver
from tfrec.monitoring.drift.reference import SECONDS_PER_DAY, Reference
from tfrec.monitoring.drift.watch import DriftWatch
from tfrec.monitoring.live.config import MonitorConfig
from tfrec.monitoring.live.endpoints import Endpoint, Histograms
from tfrec.monitoring.live.event_files import MEGABYTE, EventFiles
from tfrec.monitoring.live.event_log import EventLogReader
from tfrec.monitoring.live.fetching import Fetched, fetch_all
from tfrec.monitoring.live.served import ServedTraffic

SKEW_SAMPLES = 1000
HISTOGRAM_BINS = 30
log = logging.getLogger(__name__)


class VersionState(Protocol):
    """The state of one version of a served model."""

    @property
    def name(self) -> str:
        """The model."""

    @property
    def version(self) -> int:
        """The version."""

    @property
    def state(self) -> str:
        """`available`, or another of the model server's states."""

    @property
    def error(self) -> str:
        """Why it could not be loaded; empty if it could."""


@dataclass(frozen=True)
class Sources:
    """What is watched; every part may be missing.

    Attributes:
        pages: addresses of metrics pages, by the first part of their tags.
        versions: asks for the versions of the served models; may raise.
        event_log: folder of the gateway's event log.
        reference: gives the reference statistics of the newest export; None if it has none.
    """

    pages: Mapping[str, str]
    versions: Callable[[], Sequence[VersionState]] | None = None
    event_log: Path | None = None
    reference: Callable[[], Reference | None] | None = None


class Monitor:
    """Watches a recommender in service.

    Attributes:
        figures: by tag, as of the last look.

    Args:
        sources: what is watched.
        config: how.
        folder: where event files, alerts and their state go.
        sinks: where alerts go.
        started: unix seconds now; the log is read back over the window of drift before it.
        fetch: gets the metrics pages.
    """

    def __init__(
        self,
        sources: Sources,
        config: MonitorConfig,
        folder: Path,
        sinks: Sequence[Sink],
        *,
        started: float,
        fetch: Callable[..., dict[str, Fetched]] = fetch_all,
    ) -> None:
        self.sources = sources
        self.config = config
        self.events = EventFiles(
            folder, most_bytes=int(config.file_megabytes * MEGABYTE), keep=config.keep_files
        )
        self.book = AlertBook(
            config.rules or [], repeat_hours=config.repeat_hours, file=folder / "alerts.json"
        )
        self._sinks = sinks
        self._fetch = fetch
        self._endpoints = {name: Endpoint(name) for name in sources.pages}
        self._wrong: dict[str, str] = {}
        self._versions_text = ""
        self._log: EventLogReader | None = None
        if sources.event_log is not None:
            days = config.drift.window_days if sources.reference is not None else 0.0
            back = max(days * SECONDS_PER_DAY, config.attribution_hours * SECONDS_PER_HOUR)
            self._log = EventLogReader(sources.event_log, started - back)
        self._served = ServedTraffic(
            config.window_minutes * SECONDS_PER_MINUTE,
            config.conversion_event,
            config.attribution_hours * SECONDS_PER_HOUR,
        )
        self._drift: DriftWatch | None = None
        self._take_reference()
        self.figures: dict[str, float] = {}
        self._drift_figures: dict[str, Figure] = {}
        self._drift_due = 0.0
        self._newest_line = started
        self._last_look: float | None = None

    def look(self, now: float, seconds: float) -> list[Alert]:
        """Looks once at everything.

        Args:
            now: unix seconds.
            seconds: a clock that never goes back (`time.monotonic`).

        Returns:
            What was told of.
        """
        elapsed = 0.0 if self._last_look is None else max(0.0, seconds - self._last_look)
        self._last_look = seconds
        scalars: dict[str, float] = {}
        histograms: Histograms = {}
        texts: dict[str, str] = {}
        self._look_at_pages(seconds, scalars, histograms)
        self._look_at_versions(scalars, texts)
        if self._log is not None:
            self._read_log(now, scalars)
        self._drift_due -= elapsed
        due = self._drift_due <= 0
        if due:
            self._drift_due = self.config.drift.every_minutes * SECONDS_PER_MINUTE
            self._take_reference()
        if self._drift is not None:
            if due:
                self._compare(now, histograms)
            last = self._drift.reference.statistics.last
            if last is not None:
                scalars["freshness/data_days"] = (now - last) / SECONDS_PER_DAY
        figures = {tag: Figure(value) for tag, value in scalars.items()} | self._drift_figures
        self.figures = {
            tag: figure.value for tag, figure in figures.items() if math.isfinite(figure.value)
        }
        alerts = self.book.update(figures, now=now, elapsed=elapsed)
        # Stored only afterwards: a kill in between has an alert told of twice, which is better than
        # never.
        deliver(alerts, self._sinks)
        self._store_alerts()
        scalars["alerts/raised"] = float(len(self.book.firing))
        if alerts:
            texts["alerts"] = "\n".join(f"- {alert.message}" for alert in alerts)
        self.events.write(now, scalars, histograms, texts)
        return alerts

    def close(self) -> None:
        """Closes the files, and gives alerts under way a moment."""
        self.events.close()
        for sink in self._sinks:
            sink.close()

    def _look_at_pages(
        self, seconds: float, scalars: dict[str, float], histograms: Histograms
    ) -> None:
        pages = self._fetch(self.sources.pages, self.config.timeout_seconds)
        for name, fetched in pages.items():
            found, drawn, wrong = self._endpoints[name].look(fetched, seconds)
            scalars |= found
            histograms |= drawn
            self._say_once(name, wrong and f"{name} at {self.sources.pages[name]}: {wrong}")

    def _look_at_versions(self, scalars: dict[str, float], texts: dict[str, str]) -> None:
        if self.sources.versions is None:
            return
        try:
            versions = self.sources.versions()
        except Exception as error:
            # Whatever a server does, the monitor goes on.
            scalars["versions/up"] = 0.0
            self._say_once("versions", f"versions of the models: {error}")
            return
        self._say_once("versions", "")
        scalars["versions/up"] = 1.0
        lines = []
        for entry in versions:
            for state in ("available", "failed"):
                scalars.setdefault(f"versions/{entry.name}/{state}", 0.0)
            if entry.state == "available":
                scalars[f"versions/{entry.name}/available"] += 1.0
            # A version that ended well is only an old one.
            failed = bool(entry.error)
            scalars[f"versions/{entry.name}/failed"] += float(failed)
            lines.append(f"| {entry.name} | {entry.version} | {entry.state} | {entry.error} |")
        text = "\n".join(["| model | version | state | error |", "|---|---|---|---|", *lines])
        if text != self._versions_text:
            texts["versions"] = self._versions_text = text

    def _read_log(self, now: float, scalars: dict[str, float]) -> None:
        assert self._log is not None
        skews: list[float] = []
        for line in self._log.read():
            self._served.add(line)
            if self._drift is not None:
                self._drift.add(line)
            self._newest_line = max(self._newest_line, line.received)
            if len(skews) < SKEW_SAMPLES:
                skews.append(abs(line.received - line.time))
        self._served.forget(now)
        scalars["log/up"] = float(self._log.found)
        scalars["log/bad_lines"] = float(self._log.bad_lines)
        if skews:
            scalars["log/clock_skew_seconds"] = float(np.median(skews))
        # The gateway's clock may be ahead of this one.
        scalars["freshness/last_event_minutes"] = (
            max(0.0, now - self._newest_line) / SECONDS_PER_MINUTE
        )
        items = None if self._drift is None else len(self._drift.reference.items)
        scalars |= self._served.scalars(items)

    def _take_reference(self) -> None:
        """Takes the reference of a new export, with the traffic that was counted so far."""
        if self.sources.reference is None:
            return
        try:
            reference = self.sources.reference()
        except UserError as error:
            self._say_once("reference", str(error))
            return
        self._say_once(
            "reference",
            "" if reference else "the export has no reference statistics, so no drift is measured",
        )
        if reference is None:
            return
        if self._drift is None:
            self._drift = DriftWatch(reference, self.config.drift)
        self._drift.reference = reference

    def _compare(self, now: float, histograms: Histograms) -> None:
        assert self._drift is not None
        report = self._drift.compare(now, self._served if self._log is not None else None)
        self._drift_figures = report.figures
        self.events.write(now, {tag: figure.value for tag, figure in report.figures.items()})
        for tag, values in report.samples.items():
            counts, edges = np.histogram(values, _edges(values))
            histograms[tag] = edges, counts

    def _store_alerts(self) -> None:
        wrong = ""
        try:
            self.book.store()
        except (UserError, OSError) as error:
            # Without the name of the temporary file, which is another one at every look.
            reason = getattr(error, "strerror", None) or error
            wrong = f"after a restart, alerts are told of again, for they cannot be kept: {reason}"
        self._say_once("the file of alerts", wrong)

    def _say_once(self, what: str, wrong: str) -> None:
        """Logs what is wrong when that changes."""
        if wrong and wrong != self._wrong.get(what):
            log.warning("%s", wrong)
        elif not wrong and self._wrong.get(what):
            log.info("%s is well again", what)
        self._wrong[what] = wrong


def _edges(values: np.ndarray) -> np.ndarray:
    """Returns edges of equal bins; of whole numbers, each bin holds as many of them."""
    low, high = float(values.min()), float(values.max())
    if (values == np.round(values)).all():
        step = max(1.0, math.ceil((high - low) / HISTOGRAM_BINS))
        return np.arange(low - 0.5, high + step, step)
    return np.linspace(low, high, HISTOGRAM_BINS + 1)
