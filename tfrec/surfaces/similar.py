"""Products like a product: by what shoppers do with both, and by what is written of both."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfrec.index.item_vectors import ItemVectors
from tfrec.surfaces.stored import StoredTables

PARTS = ("vectors", "texts", "common shoppers")


@dataclass(frozen=True)
class SimilarTables(StoredTables):
    """What the log says of products that the same shoppers choose.

    Attributes:
        nearest: int32 `[num_items + 1, neighbours]`, 0 for none.
        cosines: float32 `[num_items + 1, neighbours]`.
        mix: float32 `[len(PARTS)]`, weights of the parts.
    """

    nearest: np.ndarray
    cosines: np.ndarray
    mix: np.ndarray


class Similar(tf.Module):
    """Scores the catalogue by its likeness to one item.

    The vectors of the retrieval model know behaviour and text together, and those of an item that
    nobody has chosen yet borrow from its stand-ins; the texts know what a product is; the common
    shoppers remember single pairs. The weights are fitted on what shoppers chose after an item.

    Args:
        tables: what the log says. Items after those of the tables have no common shoppers yet.
    """

    def __init__(self, tables: SimilarTables) -> None:
        super().__init__(name="similar")
        self._nearest = tf.Variable(tables.nearest, trainable=False)
        self._cosines = tf.Variable(tables.cosines, trainable=False)
        self.mix = tf.Variable(tables.mix.astype(np.float32), trainable=False)

    def parts(self, items: tf.Tensor, vectors: ItemVectors, texts: tf.Tensor) -> list[tf.Tensor]:
        """Returns float32 `[batch, num_items + 1]` for each of `PARTS`.

        Args:
            items: int64 `[batch]`.
            vectors: unit vectors of the items.
            texts: float32 `[num_items + 1, text_dimension]`, unit vectors of their texts.
        """
        batch, size = tf.shape(items)[0], vectors.count
        known = tf.shape(self._nearest, tf.int64)[0]
        safe = tf.where(items < known, items, 0)
        place = tf.gather(self._nearest, safe) + tf.range(batch)[:, tf.newaxis] * size
        common = tf.math.unsorted_segment_sum(
            tf.reshape(tf.gather(self._cosines, safe), [-1]), tf.reshape(place, [-1]), batch * size
        )
        return [
            vectors.products(vectors.rows(items)),
            tf.linalg.matmul(tf.gather(texts, items), texts, transpose_b=True),
            tf.reshape(common, [batch, size]),
        ]

    def scores(self, items: tf.Tensor, vectors: ItemVectors, texts: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum of the parts; arguments of `parts`."""
        parts = self.parts(items, vectors, texts)
        return tf.add_n([self.mix[place] * part for place, part in enumerate(parts)])
