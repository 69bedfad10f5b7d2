"""The neighbourhood baseline: items that the same shoppers chose."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tfrec.evaluation.baselines.history import history_matrix
from tfrec.progress import progress

if TYPE_CHECKING:
    from tfrec.data.dataset import Histories, PreparedDataset

_ROWS_AT_ONCE = 2048


class ItemKNN:
    """Sums, over the items of a history, their similarity to every item.

    The similarity of two items is the cosine of their columns in the binary matrix shoppers x
    items of the training events, with `shrinkage` added to the denominator so that a few
    common shoppers are no proof: ``common / (sqrt(shoppers_i * shoppers_j) + shrinkage)``
    (Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001;
    shrinkage as in Ferrari Dacrema, Cremonesi and Jannach, "Are we really making much
    progress?", RecSys 2019). An item's similarity to itself follows the same formula and is
    kept, so that the model can recommend a re-purchase where those count.

    Args:
        similarity: sparse `[num_items + 1, num_items + 1]`; row ``i`` holds the similarity of
            every item to item index ``i``.
        decay: an event of the history weighs `decay` times the event after it.
        events: 1-based indices of the event types of the history that count; None for all.
    """

    name = "item_knn"

    def __init__(
        self,
        similarity: sparse.csr_matrix,
        *,
        decay: float = 1.0,
        events: list[int] | None = None,
    ):
        self.similarity = similarity
        self._decay = decay
        self._events = events

    @classmethod
    def fit(
        cls,
        dataset: "PreparedDataset",
        *,
        neighbours: int | None = None,
        shrinkage: float = 20.0,
        decay: float = 1.0,
    ) -> "ItemKNN":
        """Fits the similarities to the target events of the data set's train split.

        Args:
            dataset: the prepared data set.
            neighbours: most similar items kept for every item, itself not counted; None keeps
                all.
            shrinkage: added to the denominator of the cosine, in shoppers.
            decay: weight of a step back in the history, in (0, 1].
        """
        chosen = history_matrix(
            dataset.histories("train"), dataset.num_items + 1, events=dataset.target_event_indices
        )
        similarity = cosine_neighbours(chosen, neighbours=neighbours, shrinkage=shrinkage)
        return cls(similarity, decay=decay, events=dataset.target_event_indices)

    def score(self, histories: "Histories") -> np.ndarray:
        """Returns float32 `[len(histories), num_items + 1]`; 0 for items without a neighbour."""
        weights = history_matrix(
            histories, self.similarity.shape[0], decay=self._decay, events=self._events
        )
        return (weights @ self.similarity).toarray()


def cosine_neighbours(
    chosen: sparse.csr_matrix, *, neighbours: int | None, shrinkage: float
) -> sparse.csr_matrix:
    """Returns the shrunk cosine between the columns of a matrix, cut to the nearest ones.

    Args:
        chosen: sparse `[num_shoppers, num_columns]`; any non-zero counts as one.
        neighbours: kept for every column besides itself, ties going to the lower index; None
            keeps all.
        shrinkage: added to the denominator.

    Returns:
        float32 sparse `[num_columns, num_columns]`; row ``i`` holds the neighbours of column
        ``i`` and, for a column with a non-zero, its own shrunk similarity.

    Raises:
        ValueError: if `neighbours` or `shrinkage` is negative.
    """
    if shrinkage < 0 or (neighbours is not None and neighbours < 0):
        raise ValueError(
            "`neighbours` and `shrinkage` should not be negative. "
            f"Received: neighbours={neighbours}, shrinkage={shrinkage}"
        )
    binary = sparse.csc_matrix(chosen, dtype=np.float32, copy=True)
    binary.sum_duplicates()
    binary.data[:] = 1.0
    by_shopper = binary.tocsr()
    transposed = binary.T.tocsr()
    norms = np.sqrt(np.diff(binary.indptr)).astype(np.float32)
    blocks = []
    starts = range(0, binary.shape[1], _ROWS_AT_ONCE)
    for start in progress(starts, description="item neighbours", unit="block"):
        block = (transposed[start : start + _ROWS_AT_ONCE] @ by_shopper).tocoo()
        row, column = block.row, block.col
        value = block.data / (norms[row + start] * norms[column] + shrinkage)
        if neighbours is not None:
            # The item itself sorts first, whatever the rest: it takes no neighbour's place.
            order = np.lexsort((column, -value, column != row + start, row))
            first = np.searchsorted(row[order], np.arange(block.shape[0]))
            place = np.arange(len(order)) - first[row[order]]
            kept = order[place <= neighbours]
            row, column, value = row[kept], column[kept], value[kept]
        blocks.append(
            sparse.csr_matrix((value.astype(np.float32), (row, column)), shape=block.shape)
        )
    return sparse.csr_matrix(sparse.vstack(blocks, format="csr"))
