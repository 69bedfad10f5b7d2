"""The popularity baseline: everybody gets what sells most."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.records import Histories


class Popularity:
    """Scores every item by its number of target events in training, for every shopper.

    Args:
        train_events: `[num_items]`, events by item.
    """

    name = "popularity"

    def __init__(self, train_events: np.ndarray):
        self._scores = np.concatenate([[0.0], train_events]).astype(np.float32)

    @classmethod
    def fit(cls, dataset: "PreparedDataset") -> "Popularity":
        """Counts the events of the target types in the data set's train split."""
        return cls(dataset.items["train_events"].to_numpy())

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns float32 `[len(histories), num_items + 1]`: one row for all."""
        return np.broadcast_to(self._scores, (len(histories), len(self._scores)))


# Far below any similarity that the data can support: popularity orders only what is tied.
_TIE_BREAK = 1e-6


def popularity_tie_break(train_events: np.ndarray) -> np.ndarray:
    """Returns what a neighbourhood model adds to its scores, to break ties by popularity.

    Without it, a shopper without a history would see all items tied.

    Args:
        train_events: `[num_items]`, events by item.

    Returns:
        float32 `[num_items + 1]` in [0, 1e-6].
    """
    popularity = np.concatenate([[0.0], train_events])
    return (popularity * (_TIE_BREAK / max(1.0, popularity.max()))).astype(np.float32)
