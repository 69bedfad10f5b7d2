"""The vectors that items are found by, as a model keeps them: exact, or in fewer bits."""

from typing import Literal

import numpy as np
import tensorflow as tf

VectorKind = Literal["float32", "bfloat16", "int8"]
LEVELS = 127
"""Largest code of `int8`; the smallest is its negative, so that 0 stands for 0."""
BLOCK = 16_384
"""Rows that are unpacked at once: a whole catalogue would be as large as if it had been exact."""


def quantise(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes and scales with ``vectors`` near ``codes * scales``.

    Args:
        vectors: float `[rows, dimension]`.

    Returns:
        int8 `[rows, dimension]`, and float32 `[rows, 1]` that put each row's largest number at
        `LEVELS`; a row of zeros has scale 0.
    """
    scales = (np.abs(vectors).max(axis=1, keepdims=True) / LEVELS).astype(np.float32)
    codes = np.rint(vectors / np.where(scales > 0, scales, 1.0))
    return codes.astype(np.int8), scales


class ItemVectors(tf.Module):
    """Vectors of all items, in float32 to whoever reads them.

    A product with queries is computed in float32 from the unpacked vectors, so only their own
    rounding changes a score.

    Args:
        vectors: float `[num_items + 1, dimension]`.
        kind: what is kept: `float32`; `bfloat16`, which has the sixteen leading bits; or `int8`,
            eight bits a number and one float32 a vector (`quantise`).
    """

    def __init__(self, vectors: tf.Tensor, kind: VectorKind = "float32") -> None:
        super().__init__(name="item_vectors")
        self.kind = kind
        self._values = tf.Variable(
            tf.zeros(vectors.shape, kind), trainable=False, name="item_vectors"
        )
        self._scales: tf.Variable | None = None
        if kind == "int8":
            scales = tf.zeros([vectors.shape[0], 1])
            self._scales = tf.Variable(scales, trainable=False, name="item_vector_scales")
        self.assign(vectors)

    def assign(self, vectors: tf.Tensor) -> None:
        """Keeps other vectors of the same shape."""
        if self._scales is None:
            self._values.assign(tf.cast(vectors, self._values.dtype))
            return
        codes, scales = quantise(tf.cast(vectors, tf.float32).numpy())
        self._values.assign(codes)
        self._scales.assign(scales)

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        kept = [self._values, *([] if self._scales is None else [self._scales])]
        return sum(variable.dtype.size * int(np.prod(variable.shape)) for variable in kept)

    @property
    def count(self) -> int:
        """Number of vectors."""
        return int(self._values.shape[0])

    def table(self) -> tf.Tensor:
        """Returns all vectors, float32 `[num_items + 1, dimension]`."""
        values = tf.cast(self._read(), tf.float32)
        return values if self._scales is None else values * self._scales

    def rows(self, items: tf.Tensor) -> tf.Tensor:
        """Returns the vectors of items `[...]`, float32 `[..., dimension]`."""
        values = tf.cast(tf.gather(self._read(), items), tf.float32)
        if self._scales is None:
            return values
        return values * tf.gather(tf.convert_to_tensor(self._scales), items)

    def local(self, items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns a table that has the vectors of items, and where they are in it.

        Args:
            items: int64 `[batch, length]`, 0 for none.

        Returns:
            float32 `[count, dimension]` and int64 `[batch, length]`, 0 for none.
        """
        if self.kind == "float32":
            return self._read(), items
        flat = tf.reshape(items, [-1])
        table = self.rows(tf.concat([tf.zeros([1], items.dtype), flat], axis=0))
        places = tf.range(1, tf.size(flat, items.dtype) + 1)
        return table, tf.reshape(tf.where(flat > 0, places, 0), tf.shape(items))

    def products(self, queries: tf.Tensor) -> tf.Tensor:
        """Returns the products of queries with all vectors, float32 `[batch, num_items + 1]`.

        Args:
            queries: float32 `[batch, dimension]`.
        """
        values = self._read()
        if self.count <= BLOCK or self.kind == "float32":
            found = _products(queries, values)
        else:
            found = self._in_blocks(queries, values)
        # One number a vector: cheaper on the scores than on the vectors.
        return found if self._scales is None else found * tf.squeeze(self._scales, axis=1)

    def _in_blocks(self, queries: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        blocks = -(-self.count // BLOCK)
        # By item first, as blocks follow on each other.
        found = tf.TensorArray(tf.float32, blocks, infer_shape=False, element_shape=[None, None])

        def search(block: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            some = values[block * BLOCK : (block + 1) * BLOCK]
            return block + 1, found.write(block, tf.transpose(_products(queries, some)))

        _, found = tf.while_loop(
            lambda block, _: block < blocks, search, (0, found), parallel_iterations=1
        )
        return tf.ensure_shape(tf.transpose(found.concat()), [None, self.count])

    def _read(self) -> tf.Tensor:
        # As a tensor: TensorFlow copies a variable that is gathered from whenever it is read whole.
        return tf.convert_to_tensor(self._values)


def _products(queries: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.linalg.matmul(queries, tf.cast(values, tf.float32), transpose_b=True)
