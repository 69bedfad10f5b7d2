"""The id offsets of a catalogue: learned ones, and for new items those of their stand-ins."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from tfrec.towers.catalogue import Catalogue
from tfrec.towers.item import ItemTower
from tfrec.towers.placement import Placement
from tfrec.towers.stand_ins import StandIns


class IdOffsets:
    """Tells which items have learned an id offset, and what the others are lent.

    All is read from the variables as they are at the time.

    Args:
        tower: has the offsets of the items with an id.
        catalogue: all items; those without an id come last.
        stand_ins: whether the items that are described alike stand in for those that have learned
            none.
    """

    def __init__(self, tower: ItemTower, catalogue: Catalogue, stand_ins: bool) -> None:
        self._tower = tower
        self._catalogue = catalogue
        self.stand_ins = stand_ins
        self._pretended = np.zeros(catalogue.num_items + 1, bool)

    @contextmanager
    def pretending(self, new: np.ndarray) -> Iterator[None]:
        """Treats items as if they had learned nothing, until the context is left.

        Args:
            new: bool `[num_items + 1]`, these items; they stand in for nobody.
        """
        before, self._pretended = self._pretended, new
        try:
            yield
        finally:
            self._pretended = before

    def learned(self) -> np.ndarray:
        """Returns bool `[num_items + 1]`: items with an id offset that training has moved."""
        moved = self._tower.id_offset.numpy().any(axis=1)
        moved = np.pad(moved, (0, self._catalogue.num_items + 1 - len(moved)))
        return moved & ~self._pretended

    def table(self) -> np.ndarray:
        """Returns the id offsets of all items: float32 `[num_items + 1, dimension]`, row 0 zero.

        Those of items that have learned none are the means of their stand-ins', or zero without
        stand-ins.
        """
        return self.lend(self._own(), ~self.learned())

    def lend(self, values: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Fills in what is not known of new items with the weighted means of their stand-ins.

        Args:
            values: float `[num_rows, ...]`, something known of items; the rows of new ones are
                overwritten.
            new: bool, `num_rows` long at least, the items to fill in; its row 0 is not read.

        Returns:
            `values`; as they are where stand-ins are off, or all items are new.
        """
        items = np.flatnonzero(new[1 : len(values)]) + 1
        if self.stand_ins and len(items) not in (0, len(values) - 1):
            found = StandIns.of(self._described()[: len(values)], items)
            values[found.items] = found.mean(values)
        return values

    def placement(self) -> Placement | None:
        """Returns what places products outside the catalogue; None if nobody can stand in."""
        learned = self.learned()
        if not self.stand_ins or not learned[1:].any():
            return None
        learned[0] = False
        return Placement(self._described(), self._own(), learned)

    def _own(self) -> np.ndarray:
        """Returns what `table` does, with zero for all items but those with an id."""
        own = self._tower.id_offset.numpy()
        offsets = np.zeros((self._catalogue.num_items + 1, own.shape[1]), np.float32)
        offsets[: len(own)] = own
        offsets[0] = 0.0
        offsets[self._pretended] = 0.0
        return offsets

    def _described(self) -> np.ndarray:
        """Returns unit vectors of all items as if no id had learned anything."""
        features = {**self._catalogue.all_features()}
        features["id"] = tf.zeros_like(features["id"])
        vectors: np.ndarray = tf.cast(self._tower(features), tf.float32).numpy()
        return vectors
