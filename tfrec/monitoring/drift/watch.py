"""Compares the traffic of the last days with the reference statistics of the served model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfrec.monitoring.alerts.book import Figure
from tfrec.monitoring.drift.reference import SECONDS_PER_DAY, SHARE_OF_TYPICAL, Reference
from tfrec.monitoring.drift.shifts import (
    Shift,
    category_shift,
    item_shifts,
    sample_shift,
    times_usual,
)
from tfrec.monitoring.live.config import DriftConfig
from tfrec.monitoring.live.event_log import IMPRESSION, LogLine, ShopperEvent
from tfrec.monitoring.live.served import ServedTraffic
from tfrec.monitoring.live.sliding import SlidingCounter

# Where fewer were to be expected, chance alone makes twice or half as many of them.
FEWEST_TAKEN = 20


@dataclass(frozen=True)
class DriftReport:
    """The figures of one comparison, and samples to draw.

    Attributes:
        figures: by tag.
        samples: numbers behind some of them, by tag.
    """

    figures: dict[str, Figure]
    samples: dict[str, np.ndarray]


class DriftWatch:
    """Follows what shoppers do, and compares it when asked.

    Only events of types that the reference knows count: a shop may report clicks to the gateway
    though its models were trained on purchases.

    Args:
        reference: what to compare with.
        config: length of the window, and the fewest events in it.
    """

    def __init__(self, reference: Reference, config: DriftConfig) -> None:
        self.reference = reference
        self.config = config
        seconds = config.window_days * SECONDS_PER_DAY
        self._items: SlidingCounter[str] = SlidingCounter(seconds)
        self._events: SlidingCounter[str] = SlidingCounter(seconds)

    def add(self, line: LogLine) -> None:
        """Counts a line of the log."""
        if isinstance(line, ShopperEvent) and line.event != IMPRESSION:
            self.add_event(line.event, line.item_id, line.received)

    def add_event(self, event: str, item_id: str, time: float) -> None:
        """Counts what a shopper did."""
        if event in self.reference.statistics.events:
            self._events.add(event, time)
            self._items.add(item_id, time)

    def compare(self, now: float, served: ServedTraffic | None = None) -> DriftReport:
        """Compares the window that ends now.

        Args:
            now: unix seconds.
            served: what was served, where it is known.
        """
        self._items.forget(now)
        self._events.forget(now)
        counts, unknown = self.reference.items.counts(self._items.counts)
        events = int(counts.sum()) + unknown
        figures = {"drift/behaviour/events": Figure(float(events))}
        usual = self.reference.usual(self.config.window_days)
        fewest = max(self.config.min_events, SHARE_OF_TYPICAL * (usual.events if usual else 0))
        if events >= fewest:
            levels = usual.levels if usual else {}
            shifts = self.reference.shifts(counts)
            shifts["event"] = category_shift(self.reference.statistics.events, self._events.counts)
            for feature, shift in shifts.items():
                figures |= _figures(f"drift/behaviour/{feature}", shift, levels.get(feature))
            figures["drift/behaviour/unknown_item_share"] = Figure(unknown / events)
            new = int(counts[self.reference.items.events == 0].sum()) + unknown
            figures["drift/behaviour/new_item_share"] = Figure(new / events)
        samples: dict[str, np.ndarray] = {}
        if served is not None:
            self._compare_served(served, figures, samples)
        return DriftReport(figures, samples)

    def _compare_served(
        self, served: ServedTraffic, figures: dict[str, Figure], samples: dict[str, np.ndarray]
    ) -> None:
        statistics, items = self.reference.statistics, self.reference.items
        counts, unknown = items.counts(served.item_counts)
        if counts.sum() >= self.config.min_events and items.served.any():
            for feature, shift in item_shifts(items, items.served, counts).items():
                figures |= _figures(f"drift/served/{feature}", shift, None)
            figures["drift/served/unknown_item_share"] = Figure(unknown / (unknown + counts.sum()))
        for name, reference, live in (
            ("scores", statistics.scores, served.scores),
            ("history_length", statistics.history_lengths, served.history_lengths),
        ):
            if len(live) >= self.config.min_events and reference:
                shift = sample_shift(np.array(reference), live)
                figures[f"drift/{name}/ks"] = Figure(shift.main[1], shift.moved)
                samples[f"drift/{name}"] = live
        shown, expected, observed = served.calibration
        calibration = statistics.calibration.get(served.conversion)
        if shown >= self.config.min_events and calibration is not None and expected > 0:
            ratio = observed / expected
            figures["drift/calibration/observed_over_expected"] = Figure(ratio)
            if shown * expected * calibration.ratio >= FEWEST_TAKEN:
                figures["drift/calibration/times_reference"] = Figure(
                    ratio / calibration.ratio,
                    f"of the shown items {observed:.2%} were taken where "
                    f"probabilities say {expected:.2%}; at export {calibration.observed:.2%} of "
                    f"{calibration.mean_probability:.2%}",
                )


def _figures(tag: str, shift: Shift, level: float | None) -> Mapping[str, Figure]:
    name, value = shift.main
    usual = "" if level is None else f", at most {level:.3f} in an ordinary window"
    moved = f"{shift.moved} ({name} {value:.3f}{usual})"
    figures = {f"{tag}/{name}": Figure(value, moved) for name, value in shift.statistics.items()}
    return {**figures, f"{tag}/times_usual": Figure(times_usual(shift, level), moved)}
