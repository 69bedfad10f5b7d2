"""Known items that stand in for items of which behaviour has taught nothing yet."""

from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 5
SOFTNESS = 0.1
"""A neighbour that is further by this much of cosine weighs e times less."""
ROWS = 1024
"""New items whose cosines with all known ones are held at once."""


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
        count = min(NEIGHBOURS, len(known))
        if count == 0:
            new = new[:0]
        nearest = np.zeros((len(new), count), np.int64)
        weights = np.zeros((len(new), count), np.float32)
        for start in range(0, len(new), ROWS):
            rows = slice(start, start + ROWS)
            cosines = vectors[new[rows]] @ vectors[known].T
            top = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
            near = np.take_along_axis(cosines, top, axis=1)
            weight = np.exp((near - near.max(axis=1, keepdims=True)) / SOFTNESS)
            nearest[rows] = known[top]
            weights[rows] = weight / weight.sum(axis=1, keepdims=True)
        return cls(new, nearest, weights)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Returns the weighted mean of the neighbours' `values` `[num_items + 1, ...]`."""
        mean: np.ndarray = np.einsum("nk,nk...->n...", self.weights, values[self.nearest])
        return mean
