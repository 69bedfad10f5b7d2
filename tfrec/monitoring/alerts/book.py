"""Alerts: when they begin, when they end, and what they say."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.monitoring.alerts.rules import Rule

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
State = Literal["raised", "still", "ended"]


@dataclass(frozen=True)
class Figure:
    """A figure that rules may watch.

    Attributes:
        value: its value now.
        moved: what moved, and by how much, where the figure sums many things up.
    """

    value: float
    moved: str = ""


@dataclass(frozen=True)
class Alert:
    """Something to tell.

    Attributes:
        state: whether it began, is still so, or ended.
        rule: name of the rule.
        severity: of the rule.
        metric: tag of the figure.
        value: its value.
        limit: that of the rule.
        worst: the worst value since it began.
        since: unix seconds at which the figure went beyond the limit.
        time: unix seconds now.
        message: all of this in words.
    """

    state: State
    rule: str
    severity: str
    metric: str
    value: float
    limit: float
    worst: float
    since: float
    time: float
    message: str

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, times as text in UTC beside the numbers."""
        return {
            **asdict(self),
            "since_utc": _utc(self.since),
            "time_utc": _utc(self.time),
            # What Slack, Mattermost and Teams show of a posted message.
            "text": self.message,
        }


@dataclass
class _Watch:
    """Where one rule stands with one figure.

    Attributes:
        firing: whether the alert was raised.
        since: unix seconds at which the breach began.
        held: seconds that the breach (or, while firing, the recovery) has lasted.
        worst: worst value since then.
        quiet: seconds since the alert was last told of.
    """

    firing: bool = False
    since: float = 0.0
    held: float | None = None
    worst: float = 0.0
    quiet: float = 0.0


_watches = TypeAdapter(dict[str, _Watch])


class AlertBook:
    """Turns figures into alerts.

    An alert is raised when a figure has been beyond its rule's limit for the rule's time, and ends
    when it has been recovered for as long. It is told of once, and again after a while if it is
    still so. A figure that is missing changes nothing.

    Args:
        rules: the rules.
        repeat_hours: after how long an alert that goes on is told of again.
        file: where to keep what was told across restarts; None: nowhere.

    Raises:
        UserError: if the file cannot be read.
    """

    def __init__(
        self, rules: Sequence[Rule], *, repeat_hours: float = 24.0, file: Path | None = None
    ) -> None:
        self.rules = list(rules)
        self._repeat = repeat_hours * SECONDS_PER_HOUR
        self._file = file
        self._stored = True
        self._watches: dict[str, _Watch] = {}
        if file is not None and file.exists():
            names = {rule.name for rule in rules}
            self._watches = {
                key: watch for key, watch in _load(file).items() if key.split(" ")[0] in names
            }

    @property
    def firing(self) -> list[str]:
        """What is raised now, as ``rule metric``."""
        return sorted(key for key, watch in self._watches.items() if watch.firing)

    def update(self, figures: Mapping[str, Figure], *, now: float, elapsed: float) -> list[Alert]:
        """Takes in the figures of a moment; returns what there is to tell.

        `store` keeps that it was told.

        Args:
            figures: by tag.
            now: unix seconds, for the messages.
            elapsed: seconds since the last call by a clock that never jumps, for the durations.
        """
        alerts = [
            alert
            for rule, metric, figure in self._matches(figures)
            if (alert := self._judge(rule, metric, figure, now, elapsed)) is not None
        ]
        self._stored = self._stored and not alerts
        return alerts

    def store(self) -> None:
        """Writes the file if there was anything to tell since it was last written.

        Raises:
            UserError: if the disk is full or the file may not be written; the next call tries
                again.
            OSError: if the disk fails; likewise.
        """
        if self._file is not None and not self._stored:
            write_json(self._file, _watches.dump_python(self._watches, mode="json"))
            self._stored = True

    def _matches(self, figures: Mapping[str, Figure]) -> Iterator[tuple[Rule, str, Figure]]:
        for rule in self.rules:
            for metric, figure in figures.items():
                # A figure that is no number is missing.
                if fnmatch.fnmatchcase(metric, rule.metric) and figure.value == figure.value:
                    yield rule, metric, figure

    def _judge(
        self, rule: Rule, metric: str, figure: Figure, now: float, elapsed: float
    ) -> Alert | None:
        watch = self._watches.setdefault(f"{rule.name} {metric}", _Watch())
        watch.quiet += elapsed
        wanted = rule.recovered_by if watch.firing else rule.breached_by
        if not wanted(figure.value):
            watch.held = None
            if not watch.firing:
                return None
            watch.worst = _worse(rule, watch.worst, figure.value)
            if watch.quiet < self._repeat:
                return None
            return self._tell("still", rule, metric, figure, watch, now)
        if watch.held is None:
            watch.held = 0.0
            if not watch.firing:
                watch.since, watch.worst = now, figure.value
        else:
            watch.held += elapsed
        if not watch.firing:
            watch.worst = _worse(rule, watch.worst, figure.value)
        if watch.held < rule.for_minutes * SECONDS_PER_MINUTE:
            return None
        watch.firing, watch.held = not watch.firing, None
        return self._tell("raised" if watch.firing else "ended", rule, metric, figure, watch, now)

    def _tell(
        self, state: State, rule: Rule, metric: str, figure: Figure, watch: _Watch, now: float
    ) -> Alert:
        watch.quiet = 0.0
        return Alert(
            state=state,
            rule=rule.name,
            severity=rule.severity,
            metric=metric,
            value=figure.value,
            limit=rule.limit,
            worst=watch.worst,
            since=watch.since,
            time=now,
            message=_message(state, rule, metric, figure, watch),
        )


def _worse(rule: Rule, a: float, b: float) -> float:
    return max(a, b) if rule.above is not None else min(a, b)


def _message(state: State, rule: Rule, metric: str, figure: Figure, watch: _Watch) -> str:
    side = "above" if rule.above is not None else "below"
    if state == "ended":
        return (
            f"ended: {rule.name}: {metric} is {figure.value:.4g} again (worst {watch.worst:.4g}, "
            f"limit {rule.limit:g}); it was {side} since {_utc(watch.since)}"
        )
    words = (
        f"{rule.severity}: {rule.name}: {metric} is {figure.value:.4g}, {side} {rule.limit:g}, "
        f"since {_utc(watch.since)}"
    )
    if state == "still":
        words = f"still {words}, at worst {watch.worst:.4g}"
    if figure.moved:
        words += f"; moved: {figure.moved}"
    if rule.look:
        words += f"; look at {rule.look}"
    return words


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _load(file: Path) -> dict[str, _Watch]:
    try:
        return _watches.validate_python(read_json(file))
    except ValidationError as error:
        raise UserError(
            f"{file} does not hold the state of alerts; remove it, and what is raised now will be "
            "told of once more"
        ) from error
