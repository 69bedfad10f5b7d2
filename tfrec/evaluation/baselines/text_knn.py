"""The text baseline: items whose texts resemble those of the shopper's last items."""

from typing import TYPE_CHECKING

import numpy as np

from tfrec.data.cooccurrence import history_matrix
from tfrec.evaluation.baselines.popularity import popularity_tie_break

if TYPE_CHECKING:
    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.records import Histories


class TextKNN:
    """Cosine between items' frozen text vectors and the weighted mean of the history's.

    Vectors are centred (the catalogue's mean is subtracted), because the texts of one shop
    share a large common component, and scaled to unit length. Popularity breaks ties, and so
    serves shoppers without a history.

    Args:
        text_vectors: float `[num_items, dimension]`, row ``r`` for item index ``r + 1``.
        train_events: int `[num_items]`, events of the target types in training.
        decay: an event of the history weighs `decay` times the event after it, in (0, 1].
        events: 1-based indices of the event types of the history that count; None for all.

    Raises:
        ValueError: if there is not one vector an item.
    """

    name = "text_knn"

    def __init__(
        self,
        text_vectors: np.ndarray,
        *,
        train_events: np.ndarray,
        decay: float = 0.5,
        events: list[int] | None = None,
    ):
        if len(text_vectors) != len(train_events):
            raise ValueError(
                "`text_vectors` should have one row an item. "
                f"Received: {len(text_vectors)} rows for {len(train_events)} items"
            )
        centred = text_vectors - text_vectors.mean(axis=0)
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-6)
        self._vectors = np.concatenate([np.zeros((1, unit.shape[1])), unit]).astype(np.float32)
        self._tie_break = popularity_tie_break(train_events)
        self._events = events
        self.decay = decay

    @classmethod
    def fit(
        cls, dataset: "PreparedDataset", text_vectors: np.ndarray, *, decay: float = 0.5
    ) -> "TextKNN":
        """Makes the baseline of a data set from the vectors of its items' texts."""
        return cls(
            text_vectors,
            train_events=dataset.items["train_events"].to_numpy(),
            decay=decay,
            events=dataset.target_event_indices,
        )

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns float32 `[len(histories), num_items + 1]`."""
        weights = history_matrix(
            histories, len(self._vectors), decay=self.decay, events=self._events
        )
        scores = (weights @ self._vectors) @ self._vectors.T
        scores += self._tie_break
        return scores
