"""Statistics of the training log that the ranking model reads: what goes with what, and counts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfrec.data.cooccurrence import history_matrix, neighbour_table
from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import SECONDS_PER_DAY, item_counts
from tfrec.data.item_links import ItemLinks
from tfrec.data.records import Histories
from tfrec.data.succession import predecessors
from tfrec.files import atomic_file

RECENT_DAYS = 30
RETURN_PRIOR = 20.0
PREDECESSORS = 30
"""Predecessors kept of an item; beyond these come chance encounters."""
ITEM_STATISTICS = ("log_count", "log_recent_count", "trend", "log_age_days", "return_rate")


@dataclass(frozen=True)
class LogStatistics:
    """What the training log says of items, with one row an item; row 0 is padding.

    Attributes:
        neighbours: of every item those most often had by the same shoppers, with their cosines.
        predecessors: of every item those that shoppers had shortly before it, with their counts.
        items: float32 `[num_items + 1, len(ITEM_STATISTICS)]`; of an item without any event those
            of a typical one.
        sales: float32 `[num_items + 1]`, target events.
    """

    neighbours: ItemLinks
    predecessors: ItemLinks
    items: np.ndarray
    sales: np.ndarray

    @classmethod
    def build(
        cls, dataset: PreparedDataset, neighbours: int, *, before: str = "valid"
    ) -> "LogStatistics":
        """Computes the statistics of the log.

        Args:
            dataset: the prepared data set.
            neighbours: how many neighbours to keep of each item.
            before: the split, `valid` or `test`, that the log ends before.
        """
        return cls.of(dataset.log_before(before), dataset, neighbours)

    @classmethod
    def of(cls, histories: Histories, dataset: PreparedDataset, neighbours: int) -> "LogStatistics":
        """Computes the statistics of a given log over a data set's items; see `build`."""
        size, targets = dataset.num_items + 1, dataset.target_event_indices
        sales = item_counts(histories, size, targets)
        return cls(
            neighbour_table(history_matrix(histories, size, events=targets), neighbours),
            predecessors(histories, size, targets, PREDECESSORS),
            _item_statistics(histories, dataset, sales),
            sales.astype(np.float32),
        )

    def save(self, path: Path) -> None:
        """Writes the arrays to the file `path`, atomically."""
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                neighbours=self.neighbours.items,
                similarity=self.neighbours.weights,
                predecessors=self.predecessors.items,
                succession=self.predecessors.weights,
                items=self.items,
                sales=self.sales,
            )

    @classmethod
    def load(cls, path: Path, num_items: int) -> "LogStatistics":
        """Reads what `save` wrote; items beyond those of the training log count as unsold."""
        with np.load(path) as arrays:
            neighbours = ItemLinks(arrays["neighbours"], arrays["similarity"])
            before = ItemLinks(arrays["predecessors"], arrays["succession"])
            items, sales = arrays["items"], arrays["sales"]
        added = num_items + 1 - len(items)
        typical = _typical_item(items[1:])
        return cls(
            neighbours.with_items(added),
            before.with_items(added),
            np.concatenate([items, np.repeat(typical, added, axis=0)]),
            np.pad(sales, (0, added)),
        )


def _typical_item(items: np.ndarray) -> np.ndarray:
    """Returns float32 `[1, len(ITEM_STATISTICS)]`: the median of the items that were had."""
    had = items[items[:, ITEM_STATISTICS.index("log_count")] > 0]
    typical = np.median(had, axis=0, keepdims=True) if len(had) else np.zeros_like(items[:1])
    typical[:, ITEM_STATISTICS.index("return_rate")] = items[
        :, ITEM_STATISTICS.index("return_rate")
    ].mean()
    return typical.astype(np.float32)


def _item_statistics(
    histories: Histories, dataset: PreparedDataset, count: np.ndarray
) -> np.ndarray:
    size, targets = dataset.num_items + 1, dataset.target_event_indices
    recent_count = item_counts(histories, size, targets, days=RECENT_DAYS)
    end = int(histories.timestamp.max(initial=0))
    first = np.full(size, end, np.int64)
    np.minimum.at(first, histories.item, histories.timestamp)
    age_days = (end - first) / SECONDS_PER_DAY
    returned = np.zeros(size)
    if dataset.return_event_index is not None:
        returned = item_counts(histories, size, [dataset.return_event_index])
    overall = returned.sum() / max(count.sum(), 1.0)
    expected_recent = count * RECENT_DAYS / np.maximum(age_days, RECENT_DAYS)
    columns = [
        np.log1p(count),
        np.log1p(recent_count),
        np.log1p(recent_count) - np.log1p(expected_recent),
        np.log1p(age_days),
        (returned + RETURN_PRIOR * overall) / (count + RETURN_PRIOR),
    ]
    statistics = np.stack(columns, axis=1).astype(np.float32)
    # Zeros would be no neutral guess of an item that nobody could buy yet.
    unheard_of = np.bincount(histories.item, minlength=size) == 0
    statistics[unheard_of] = _typical_item(statistics[1:])
    statistics[0] = 0.0
    return statistics
