"""The items that are described most like each item."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse

from tfrec.files import atomic_file
from tfrec.towers.stand_ins import nearest_described

ALIKE = 10
"""Items with the nearest descriptions that are averaged over."""


@dataclass(frozen=True)
class AlikeItems:
    """For every item those with the nearest descriptions; row 0 is no item.

    To compare all descriptions takes the square of their number, so what was found once is kept
    with a ranking model. When it is opened with other items, these are compared with all, and the
    others only where one of their nearest changed.

    Attributes:
        described: uint32 `[num_items + 1]`, checksums of the items' text vectors.
        nearest: int32 `[num_items + 1, ALIKE]`, fewer in a small catalogue.
        weights: float32 of the same shape, of sum 1 a row, or zeros where a text says nothing.
    """

    described: np.ndarray
    nearest: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(
        cls, vectors: np.ndarray, centred: np.ndarray, known: "AlikeItems | None" = None
    ) -> "AlikeItems":
        """Finds the nearest items by cosine.

        Args:
            vectors: float32 `[num_items + 1, text_dimension]`, of the items' texts, which tell
                whether one was changed.
            centred: float32 of the same shape, the unit vectors to compare, or zeros where a text
                says nothing: such items are like none.
            known: what was found before, possibly among other items.
        """
        described = np.array([zlib.crc32(row.tobytes()) for row in vectors], np.uint32)
        speaking = np.flatnonzero(centred.any(axis=1))
        count = max(min(ALIKE, len(speaking) - 1), 0)
        nearest = np.zeros((len(vectors), count), np.int32)
        weights = np.zeros(nearest.shape, np.float32)
        wanted = np.full(len(vectors), True)
        if known is not None and known.nearest.shape[1] == count:
            rows = slice(min(len(vectors), len(known.nearest)))
            nearest[rows], weights[rows] = known.nearest[rows], known.weights[rows]
            wanted[rows] = described[rows] != known.described[rows]
            gone = nearest >= len(vectors)
            wanted |= (gone | wanted[np.where(gone, 0, nearest)]).any(axis=1)
        items = speaking[wanted[speaking]]
        nearest[wanted], weights[wanted] = 0, 0.0
        nearest[items], weights[items] = nearest_described(centred, items, speaking, count)
        return cls(described, nearest, weights)

    def matrix(self) -> sparse.csr_matrix:
        """Returns how much each item says of those that are described like it.

        Returns:
            float32 sparse `[num_items + 1, num_items + 1]`, rows of sum 1 or without an entry.
        """
        rows, columns = np.nonzero(self.weights)
        size = len(self.nearest)
        places = (rows, self.nearest[rows, columns])
        return sparse.csr_matrix((self.weights[rows, columns], places), shape=(size, size))

    def save(self, path: Path) -> None:
        """Writes the arrays to the file `path`, atomically."""
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "AlikeItems":
        """Reads what `save` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["described"], arrays["nearest"], arrays["weights"])
