"""Tables that lead from every item to a few others."""

from typing import NamedTuple

import numpy as np
from scipy import sparse


class ItemLinks(NamedTuple):
    """For every item the others that say most about it, and how much; row 0 is no item.

    Attributes:
        items: int32 `[num_items + 1, count]`, 0 where an item has fewer.
        weights: float32 of the same shape, 0 where there is no item.
    """

    items: np.ndarray
    weights: np.ndarray

    @classmethod
    def strongest(cls, matrix: sparse.spmatrix, count: int) -> "ItemLinks":
        """Keeps the largest weights of every row, ties going to the lower index.

        Args:
            matrix: sparse `[rows, num_items + 1]`, no weight negative.
            count: links kept for every row.
        """
        rows = sparse.csr_matrix(matrix, copy=True)
        rows.eliminate_zeros()
        rows.sort_indices()
        items = np.zeros((rows.shape[0], count), np.int32)
        weights = np.zeros(items.shape, np.float32)
        for row in range(rows.shape[0]):
            place = slice(rows.indptr[row], rows.indptr[row + 1])
            kept = largest(rows.data[place], count)
            items[row, : len(kept)] = rows.indices[place][kept]
            weights[row, : len(kept)] = rows.data[place][kept]
        return cls(items, weights)

    def matrix(self) -> sparse.csr_matrix:
        """Returns float32 sparse `[num_items + 1, num_items + 1]`."""
        size, count = self.items.shape
        rows, present = np.repeat(np.arange(size), count), self.items.ravel() > 0
        places = (rows[present], self.items.ravel()[present])
        return sparse.csr_matrix((self.weights.ravel()[present], places), shape=(size, size))

    def with_items(self, added: int) -> "ItemLinks":
        """Returns the table with further items at its end, which have no links."""
        return ItemLinks(*(np.pad(values, [(0, added), (0, 0)]) for values in self))


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Returns the positions of the `count` largest values, ties going to the lower position."""
    if len(values) <= count:
        return np.arange(len(values))
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    threshold = -np.partition(-values, count - 1)[count - 1]
    above = np.flatnonzero(values > threshold)
    tied = np.flatnonzero(values == threshold)[: count - len(above)]
    return np.concatenate([above, tied])
