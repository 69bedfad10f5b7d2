"""How items of few sales are found, as a fixed part of the retrieval model."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.towers.histories import step_weights


@tf.keras.utils.register_keras_serializable(package="tfrec")
class ColdStart(tf.keras.layers.Layer):
    """Asks for items of few sales by what the shopper had last, beside what he is predicted to buy.

    A query vector says where the next purchase is expected. That is learned from items that sold,
    and for them it is the better question. Of an item that hardly sold, its place among the other
    items says more: is it near to what the shopper had? For an item of `n` sales the cosine with
    the query vector `q` therefore gives way to that with the profile `p`, the unit mean of the
    vectors of the history, as little evidence does to a prior of `pseudo_sales` events::

        a(n) = share * pseudo_sales / (pseudo_sales + n)
        score = (1 - a(n)) * <q, v> + a(n) * <p, v> + bonus / 2**n

    The sales are counted, not trained, and counted anew as the log grows. Items without a trained
    id count as unsold.

    Args:
        num_ids: number of trained items.

    Call arguments:
        queries: float32 `[batch, dimension]`, unit vectors.
        vectors: float32 `[batch, length, dimension]`, those of the history's items.
        hits: bool `[batch, length]`, the events that the profile is made of.

    Returns:
        float32 `[batch, dimension]`, the way from the query to the profile, ``p - q``; zeros for
        shoppers without a hit. Times an item's vector and weight it is to be added to its score.
    """

    def __init__(self, num_ids: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_ids = num_ids
        self.sales = self._fixed("sales", (num_ids + 1,))
        self.share = self._fixed("share", ())
        self.pseudo_sales = self._fixed("pseudo_sales", (), "ones")
        self.decay = self._fixed("decay", (), "ones")
        self.bonus = self._fixed("bonus", ())

    def _fixed(self, name: str, shape: tuple[int, ...], start: str = "zeros") -> tf.Variable:
        return self.add_weight(name=name, shape=shape, initializer=start, trainable=False)

    @property
    def counted(self) -> list[tf.Variable]:
        """The variables that are counted from the log."""
        return [self.sales]

    def fill(self, sales: np.ndarray) -> None:
        """Takes over the sales: float `[num_ids + 1]`, counts."""
        self.sales.assign(sales)

    def fit(self, *, share: float, pseudo_sales: float, decay: float, bonus: float) -> None:
        """Sets what is fitted; see the class docstring.

        Args:
            share: of an unsold item's score that is due to the profile, in [0, 1].
            pseudo_sales: sales that halve it.
            decay: an event of the history weighs `decay` times the event after it.
            bonus: added to the score of an unsold item.
        """
        self.share.assign(share)
        self.pseudo_sales.assign(pseudo_sales)
        self.decay.assign(decay)
        self.bonus.assign(bonus)

    def call(self, queries: tf.Tensor, vectors: tf.Tensor, hits: tf.Tensor) -> tf.Tensor:
        """Returns the way from the query to the profile; see the class docstring for shapes."""
        total = tf.einsum("bl,bld->bd", step_weights(hits, self.decay), vectors)
        profile = tf.math.l2_normalize(total, axis=1, epsilon=1e-9)
        any_hit = tf.cast(tf.reduce_any(hits, axis=1), tf.float32)
        return (profile - queries) * any_hit[:, tf.newaxis]

    def weights_of_items(self, size: int | tf.Tensor) -> tf.Tensor:
        """Returns ``a(n)`` of every row of the item table, float32 `[size]`."""
        return self.share * self.pseudo_sales / (self.pseudo_sales + self._sales(size))

    def bonus_of_items(self, size: int | tf.Tensor) -> tf.Tensor:
        """Returns ``bonus / 2**n`` of every row of the item table, float32 `[size]`."""
        return self.bonus * tf.pow(0.5, self._sales(size))

    def _sales(self, size: int | tf.Tensor) -> tf.Tensor:
        return tf.pad(self.sales, [[0, tf.cast(size, tf.int32) - (self.num_ids + 1)]])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_ids": self.num_ids}
