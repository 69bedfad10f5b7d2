"""The item vectors of the last steps' targets, as negatives of the steps that follow."""

import tensorflow as tf


class CrossBatchMemory(tf.Module):
    """A ring of item vectors that lets a batch be scored with the targets of those before it.

    Vectors drift slowly while training goes on, so that those of the last steps are nearly as good
    as new ones, and cost nothing but a product with the queries (Wang et al., "Cross-Batch Memory
    for Embedding Learning", CVPR 2020). The variables belong to the training: its checkpoints hold
    them, and no trained model does.

    No gradient flows into what is remembered. For a loss of pairs, as in the paper, that only
    leaves some pairs out. In a softmax the remembered take most of the probability of a query's
    negatives, so that items would be drawn to their shoppers and hardly pushed from all others.
    `pass_on` lets those of the batch pass on what is due to the remembered.

    Args:
        size: how many vectors are remembered.
        dimension: of a vector.
    """

    def __init__(self, size: int, dimension: int) -> None:
        super().__init__(name="cross_batch_memory")
        self.size = size
        self.items = tf.Variable(tf.zeros([size], tf.int64), trainable=False, name="items")
        self.vectors = tf.Variable(tf.zeros([size, dimension]), trainable=False, name="vectors")
        self.written = tf.Variable(0, dtype=tf.int64, trainable=False, name="written")

    def read(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the items, int64 `[size]`, 0 for none yet; and vectors `[size, dimension]`."""
        return tf.identity(self.items), tf.identity(self.vectors)

    @staticmethod
    def pass_on(vectors: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
        """Returns vectors whose gradient is multiplied.

        Args:
            vectors: float32 `[count, dimension]`, negatives of the batch.
            times: float32 `[count]`, how many times each is expected among all draws for each time
                that it is expected in the batch. So the gradient's expectation is that of draws
                that all pass it on.
        """
        fixed = tf.stop_gradient(vectors)
        return fixed + times[:, tf.newaxis] * (vectors - fixed)

    @property
    def filled(self) -> tf.Tensor:
        """How many vectors are there, int64."""
        return tf.minimum(self.written, self.size)

    def write(self, items: tf.Tensor, vectors: tf.Tensor) -> None:
        """Remembers some targets in the place of the oldest.

        Args:
            items: int64 `[count]`; of more than `size`, the last are remembered.
            vectors: float `[count, dimension]`.
        """
        items, vectors = items[-self.size :], vectors[-self.size :]
        count = tf.size(items, tf.int64)
        places = ((self.written + tf.range(count)) % self.size)[:, tf.newaxis]
        self.items.scatter_nd_update(places, items)
        self.vectors.scatter_nd_update(places, tf.cast(vectors, tf.float32))
        self.written.assign_add(count)
