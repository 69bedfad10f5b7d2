"""Known items that stand in for items of which behaviour has taught nothing yet."""

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 5
SOFTNESS = 0.1
"""A neighbour that is further by this much of cosine weighs e times less."""
ROWS = 1024
"""Items whose cosines with all known ones are held at once."""


@dataclass(frozen=True)
class StandIns:
    """The known items that are most like each new one, and how much each of them counts.

    What was learned of an item beyond its description, and how often it was sold, is best guessed
    from the items whose descriptions are nearest: an average over neighbours, as in the regression
    of Nadaraya and Watson (1964).

    Attributes:
        items: int64 `[new]`, the new items.
        nearest: int64 `[new, neighbours]`, known items.
        weights: float32 `[new, neighbours]`, of sum 1 a row.
    """

    items: np.ndarray
    nearest: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, new: np.ndarray) -> "StandIns":
        """Finds the stand-ins by cosine.

        Args:
            vectors: float32 `[num_items + 1, dimension]`, unit vectors made of descriptions
                alone; row 0 is no item.
            new: int64 `[new]`, items without stand-ins of their own; where these are all items
                nobody can stand in, and there are none.
        """
        known = np.setdiff1d(np.arange(1, len(vectors)), new)
        if not len(known):
            new = new[:0]
        return cls(new, *nearest_described(vectors, new, known, NEIGHBOURS))

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Returns the weighted mean of the neighbours' `values` `[num_items + 1, ...]`."""
        mean: np.ndarray = np.einsum("nk,nk...->n...", self.weights, values[self.nearest])
        return mean


def nearest_described(
    vectors: np.ndarray, items: np.ndarray, known: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the known items whose descriptions are nearest by cosine, no item its own.

    Args:
        vectors: float32 `[num_items + 1, dimension]`, unit vectors made of descriptions alone.
        items: int64 `[items]`, whose neighbours are wanted.
        known: int64 `[known]`, who may be one, in rising order.
        count: neighbours an item, fewer where fewer are known.

    Returns:
        int64 and float32 `[items, count]`: the neighbours, and their weights of sum 1 a row.
    """
    # An item that is known itself has one neighbour less to choose from.
    count = max(min(count, len(known) - bool(np.isin(items, known).any())), 0)
    nearest = np.zeros((len(items), count), np.int64)
    weights = np.zeros(nearest.shape, np.float32)
    if count == 0:
        return nearest, weights
    for start in range(0, len(items), ROWS):
        rows = slice(start, start + ROWS)
        cosines = vectors[items[rows]] @ vectors[known].T
        cosines[items[rows, np.newaxis] == known] = -np.inf
        top = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        near = np.take_along_axis(cosines, top, axis=1)
        weight = np.exp((near - near.max(axis=1, keepdims=True)) / SOFTNESS)
        nearest[rows] = known[top]
        weights[rows] = weight / weight.sum(axis=1, keepdims=True)
    return nearest, weights
