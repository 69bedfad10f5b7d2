"""What sells of late, as a fixed part of the retrieval model."""

from typing import Any

import numpy as np
import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="tfrec")
class PopularityTrend(tf.keras.layers.Layer):
    """Adds to every item's score what its sales in several windows of time say of it.

    A model trained on a year knows what sold in that year; the next month sells what last week
    did, and more of what is rising. The scores of the towers are therefore joined by
    ``sum_w weight_w * log(1 + sales_w)`` over windows `w` that end now. Against the weight of the
    whole log, that of a short window measures a trend. The sales are counted, not trained, and
    counted anew as the log grows; only the weights are fitted. Items without a trained id count
    as unsold.

    Args:
        num_ids: number of trained items.
        windows: number of windows.

    Call arguments:
        size: number of rows of the item table.

    Returns:
        float32 `[size]`, to be added to the scores of every shopper.
    """

    def __init__(self, num_ids: int, windows: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_ids = num_ids
        self.windows = windows
        self.log_sales = self.add_weight(
            name="log_sales", shape=(num_ids + 1, windows), initializer="zeros", trainable=False
        )
        self.weights_of_windows = self.add_weight(
            name="weights_of_windows", shape=(windows,), initializer="zeros", trainable=False
        )

    @property
    def counted(self) -> list[tf.Variable]:
        """The variables that are counted from the log."""
        return [self.log_sales]

    def fill(self, log_sales: np.ndarray) -> None:
        """Takes over the sales: float `[num_ids + 1, windows]`, ``log(1 + count)``."""
        self.log_sales.assign(log_sales)

    def call(self, size: int | tf.Tensor) -> tf.Tensor:
        """Returns the bias of every item; see the class docstring for shapes."""
        bias = tf.linalg.matvec(self.log_sales, self.weights_of_windows)
        return tf.pad(bias, [[0, tf.cast(size, tf.int32) - (self.num_ids + 1)]])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_ids": self.num_ids, "windows": self.windows}
