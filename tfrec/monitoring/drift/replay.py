"""Lives through a log again, week by week, as a monitor would have seen it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from tfrec.data.dataset import PreparedDataset
from tfrec.monitoring.alerts.book import Alert, AlertBook
from tfrec.monitoring.drift.item_profile import ItemProfile
from tfrec.monitoring.drift.reference import (
    SECONDS_PER_DAY,
    Reference,
    ReferenceStatistics,
    usual_windows,
)
from tfrec.monitoring.drift.watch import DriftWatch
from tfrec.monitoring.live.config import DriftConfig, load_monitor_config

WEEK = 7 * SECONDS_PER_DAY
RULE = "traffic-drift"
"""Of the shipped rules, the one about what shoppers do."""


@dataclass(frozen=True)
class TimedLog:
    """Events in the order of time, and what they are about.

    Attributes:
        items: item table.
        vectors: float `[items, dimension]`.
        item: int `[events]`, rows of `items`.
        event: str `[events]`.
        timestamp: int `[events]`, unix seconds.
    """

    items: pd.DataFrame
    vectors: np.ndarray
    item: np.ndarray
    event: np.ndarray
    timestamp: np.ndarray

    @classmethod
    def of(cls, dataset: PreparedDataset, vectors: np.ndarray) -> "TimedLog":
        """Returns the log of a data set.

        Args:
            dataset: the prepared data set.
            vectors: float `[items, dimension]`, in the order of its items.
        """
        item, event, timestamp = dataset.logged_events()
        order = np.argsort(timestamp, kind="stable")
        names = np.array(["", *dataset.event_types], object)
        return cls(dataset.items, vectors, item[order] - 1, names[event[order]], timestamp[order])

    def between(self, first: date, last: date) -> "TimedLog":
        """Returns the events from the day `first` on and before the day `last`."""
        place = slice(*np.searchsorted(self.timestamp, [_seconds(first), _seconds(last)]))
        return replace(
            self, item=self.item[place], event=self.event[place], timestamp=self.timestamp[place]
        )

    def reference(self) -> Reference:
        """Returns the reference statistics of these events.

        Raises:
            ValueError: if there is no event.
        """
        if not len(self.timestamp):
            raise ValueError("a reference should have events")
        counts = np.bincount(self.item, minlength=len(self.items))
        profile = ItemProfile.of(self.items, self.vectors, counts)
        names, by_type = np.unique(self.event.astype(str), return_counts=True)
        return Reference(
            ReferenceStatistics(
                first=int(self.timestamp[0]),
                last=int(self.timestamp[-1]),
                events=dict(zip(names.tolist(), by_type.tolist(), strict=True)),
                usual=usual_windows(profile, self.item, self.timestamp),
            ),
            profile,
        )


@dataclass(frozen=True)
class Week:
    """A week of a replay.

    Attributes:
        end: the day after its last one.
        events: number of its events.
        statistics: times the usual level, by feature.
        firing: features that are raised at its end.
        alerts: what was told of.
    """

    end: date
    events: int
    statistics: dict[str, float]
    firing: list[str]
    alerts: list[Alert]


def replay(
    log: TimedLog, reference: Reference, start: date, end: date | None = None
) -> Iterator[Week]:
    """Yields the whole weeks from `start` on, with the shipped rule and what it had told.

    Args:
        log: the log.
        reference: what to compare with.
        start: first day of the first week.
        end: no week begins at or after this day; None: the end of the log.
    """
    rules = [rule for rule in load_monitor_config().rules or [] if rule.name == RULE]
    watch, book = DriftWatch(reference, DriftConfig(window_days=7)), AlertBook(rules)
    ids = log.items["item_id"].to_numpy(object)
    begin, last = _seconds(start), int(log.timestamp[-1]) if end is None else _seconds(end)
    # A log may end at noon; a week that lacks no more than a day is taken for whole.
    while begin < last and begin + WEEK <= int(log.timestamp[-1]) + SECONDS_PER_DAY:
        place = slice(*np.searchsorted(log.timestamp, [begin, begin + WEEK]))
        for event, item, time in zip(
            log.event[place], log.item[place], log.timestamp[place], strict=True
        ):
            watch.add_event(event, ids[item], float(time))
        begin += WEEK
        figures = watch.compare(float(begin)).figures
        alerts = book.update(figures, now=float(begin), elapsed=float(WEEK))
        yield Week(
            datetime.fromtimestamp(begin, UTC).date(),
            place.stop - place.start,
            {
                tag.split("/")[2]: figure.value
                for tag, figure in figures.items()
                if tag.endswith("/times_usual")
            },
            [key.split("/")[2] for key in book.firing],
            alerts,
        )


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
