"""The popularity baseline: everybody gets what sells most."""

from typing import TYPE_CHECKING

import numpy as np

from tfrec.data.item_counts import item_counts

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.records import Histories


class Popularity:
    """Scores every item by its number of target events, for every shopper.

    Args:
        events: `[num_items]`, events by item.
    """

    name = "popularity"

    def __init__(self, events: np.ndarray):
        self._scores = np.concatenate([[0.0], events]).astype(np.float32)

    @classmethod
    def fit(
        cls, dataset: "PreparedDataset", *, days: int | None = None, before: str = "valid"
    ) -> "Popularity":
        """Counts the events of the target types.

        Args:
            dataset: the prepared data set.
            days: only those of the last days; None for all.
            before: the split, `valid` or `test`, that the log ends before.
        """
        counts = item_counts(
            dataset.log_before(before),
            dataset.num_items + 1,
            dataset.target_event_indices,
            days=days,
        )
        return cls(counts[1:])

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns float32 `[len(histories), num_items + 1]`: one row for all."""
        return np.broadcast_to(self._scores, (len(histories), len(self._scores)))


# Far below any similarity that the data can support: popularity orders only what is tied.
_TIE_BREAK = 1e-6


def popularity_tie_break(events: np.ndarray) -> np.ndarray:
    """Returns what a neighbourhood model adds to its scores, to break ties by popularity.

    Without it, a shopper without a history would see all items tied.

    Args:
        events: `[num_items]`, events by item.

    Returns:
        float32 `[num_items + 1]` in [0, 1e-6].
    """
    popularity = np.concatenate([[0.0], events])
    return (popularity * (_TIE_BREAK / max(1.0, popularity.max()))).astype(np.float32)
