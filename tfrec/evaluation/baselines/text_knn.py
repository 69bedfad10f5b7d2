"""The text baseline: items whose texts resemble those of the shopper's last items."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines.history import history_matrix

if TYPE_CHECKING:
    from tfrec.data.dataset import Histories


class TextKNN:
    """Cosine between items' frozen text vectors and the weighted mean of the history's.

    Vectors are centred (the catalogue's mean is subtracted), because sentence vectors of one
    shop share a large common component, and scaled to unit length. The event one step back
    weighs `decay` times the one after it.

    Args:
        text_vectors: float `[num_items, dimension]`, row ``r`` for item index ``r + 1``.
        decay: weight of a step back, in (0, 1].
    """

    name = "text_knn"

    def __init__(self, text_vectors: np.ndarray, *, decay: float = 0.5):
        centred = text_vectors - text_vectors.mean(axis=0)
        lengths = np.linalg.norm(centred, axis=1, keepdims=True)
        unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-6)
        self._vectors = np.concatenate([np.zeros((1, unit.shape[1])), unit]).astype(np.float32)
        self._decay = decay

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns float32 `[len(histories), num_items + 1]`; 0 for an empty history."""
        profile = history_matrix(histories, len(self._vectors), decay=self._decay)
        return np.asarray(sparse.csr_matrix(profile) @ self._vectors) @ self._vectors.T
