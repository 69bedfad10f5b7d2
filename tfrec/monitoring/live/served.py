"""What is being served, and what shoppers make of it, over the last stretch of time."""

import math
from collections import deque

import numpy as np

from tfrec.data.tensor_names import PROBABILITY, tensor_names
from tfrec.evaluation.lists import gini_of_counts
from tfrec.monitoring.live.attribution import PLACES, Attribution
from tfrec.monitoring.live.event_log import CLICK, IMPRESSION, LogLine, ServedList, ShopperEvent
from tfrec.monitoring.live.sliding import SlidingCounter

_MOST_SAMPLES = 5_000


class ServedTraffic:
    """Follows the event log.

    Args:
        seconds: length of the window.
        conversion: type of the event that a shop lives on.
        attribution_seconds: how long after a list an event may belong to it.
    """

    def __init__(
        self, seconds: float, conversion: str = "purchase", attribution_seconds: float = 86_400.0
    ) -> None:
        self.conversion = conversion
        # What a model calls the probability of the conversion.
        tensor = tensor_names([conversion], PROBABILITY)[conversion]
        self._probability = tensor.removeprefix(PROBABILITY)
        self._attribution = Attribution(attribution_seconds)
        self._items: SlidingCounter[str] = SlidingCounter(seconds)
        self._counts: SlidingCounter[str] = SlidingCounter(seconds)
        self._versions: SlidingCounter[tuple[str, str]] = SlidingCounter(seconds)
        self._scores: deque[float] = deque(maxlen=_MOST_SAMPLES)
        self._lengths: deque[int] = deque(maxlen=_MOST_SAMPLES)
        self._expected: SlidingCounter[str] = SlidingCounter(attribution_seconds)

    def add(self, line: LogLine) -> None:
        """Counts a line of the log."""
        if isinstance(line, ServedList):
            self._add_list(line)
        else:
            self._add_event(line)

    def forget(self, now: float) -> None:
        """Drops what is older than the window."""
        for counter in (self._items, self._counts, self._versions, self._expected):
            counter.forget(now)
        self._attribution.forget(now)

    @property
    def scores(self) -> np.ndarray:
        """The newest scores of shown items, float `[n]`."""
        return np.array(self._scores, np.float64)

    @property
    def history_lengths(self) -> np.ndarray:
        """Lengths of the newest histories that the model was asked with, float `[n]`."""
        return np.array(self._lengths, np.float64)

    @property
    def item_counts(self) -> dict[str, int]:
        """How often each item was shown."""
        return dict(self._items.counts)

    @property
    def calibration(self) -> tuple[int, float, float]:
        """Items shown with a probability, its mean, and the share that was converted.

        The probability is that of `conversion`. Over the window of attribution, and NaN without
        items.
        """
        shown = self._expected["shown"]
        if not shown:
            return 0, math.nan, math.nan
        return (
            shown,
            self._expected["millionths"] / 1e6 / shown,
            self._expected["converted"] / shown,
        )

    def scalars(self, num_items: int | None = None) -> dict[str, float]:
        """Returns the figures of the window by tag.

        Args:
            num_items: items of the catalogue; None: those that were shown at least once.
        """
        counts = self._counts
        lists = counts["lists"]
        figures = {"served/lists": float(lists)}
        if lists:
            shown = np.fromiter(self._items.counts.values(), np.int64)
            size = max(num_items or 0, len(shown))
            figures |= {
                "served/coverage": len(shown) / size if size else math.nan,
                "served/gini": gini_of_counts(np.pad(shown, (0, size - len(shown)))),
                "served/empty_history_share": counts["empty"] / lists,
                "served/degraded_share": counts["degraded"] / lists,
                "served/empty_list_share": counts["no items"] / lists,
            }
        if counts["history"]:
            figures["served/unknown_item_share"] = counts["unknown"] / counts["history"]
        for version in sorted({version for version, _ in self._versions.counts}):
            figures |= self._figures_of(version)
        return figures

    def _figures_of(self, version: str) -> dict[str, float]:
        of = self._versions
        # A shop that says what was on the screen means that, and not all that was sent.
        shown = of[version, IMPRESSION] or of[version, "places"]
        figures = {f"online/{version}/lists": float(of[version, "lists"])}
        if shown:
            figures[f"online/{version}/click_rate"] = of[version, CLICK] / shown
            figures[f"online/{version}/conversion_rate"] = of[version, self.conversion] / shown
        return figures

    def _add_list(self, served: ServedList) -> None:
        if not self._attribution.remember(served):
            return
        now, version = served.received, _name_of(served.model_version)
        shown = served.item_ids[:PLACES]
        self._counts.add("lists", now)
        self._versions.add((version, "lists"), now)
        self._versions.add((version, "places"), now, len(served.item_ids))
        if not shown:
            self._counts.add("no items", now)
        if served.degraded:
            self._counts.add("degraded", now)
        for item_id in served.item_ids:
            self._items.add(item_id, now)
        if served.history_length is not None:
            self._lengths.append(served.history_length)
            if not served.history_length:
                self._counts.add("empty", now)
            if served.history_unknown is not None:
                self._counts.add("history", now, served.history_length)
                self._counts.add("unknown", now, served.history_unknown)
        if served.scores is not None:
            self._scores.extend(served.scores[: len(shown)])
        expected = (served.probabilities or {}).get(self._probability)
        if expected is not None:
            expected = expected[: len(shown)]
            self._expected.add("shown", now, len(expected))
            self._expected.add("millionths", now, round(1e6 * sum(expected)))

    def _add_event(self, event: ShopperEvent) -> None:
        entry = self._attribution.find(event)
        if entry is None:
            return
        self._versions.add((_name_of(entry.version), event.event), event.received)
        if (
            event.event == self.conversion
            and event.item_id in entry.items
            and self._probability in entry.foretold
        ):
            self._expected.add("converted", event.received)


def _name_of(version: int | None) -> str:
    return "unknown" if version is None else str(version)
