"""How likely a shopper is to buy what a campaign's text advertises."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfrec.surfaces.stored import StoredTables

FEATURES = (
    "bias",
    "share of the next choices in the theme",
    "best fit among them",
    "share of the history in the theme",
    "best fit in the history",
    "share of recent sales in the theme",
    "cosine of shopper and theme",
    "events of the shopper",
    "days since the last event",
    "size of the theme",
)
LEAST = 1e-6
SHARPNESS = 20.0
"""A cosine of .1 more makes a product about seven times as much part of a theme."""


@dataclass(frozen=True)
class CampaignTables(StoredTables):
    """What the log says of campaigns.

    Attributes:
        weights: float32 `[len(FEATURES)]`, of a logistic regression.
        centre: float32, cosine of a creative and a product's text at which it half belongs to it.
        log_recent: float32 `[num_items + 1]`, ``log`` of each item's share of recent sales.
        days: int64, length of the period that the probability is about.
    """

    weights: np.ndarray
    centre: np.ndarray
    log_recent: np.ndarray
    days: np.ndarray


class Campaign(tf.Module):
    """The probability that a shopper buys something of a creative's theme in the next days.

    A theme is what a text says of the catalogue: every product belongs to it by the cosine of
    their BERT vectors, through a logistic function. What the retrieval model expects the shopper to
    choose, what he chose before and what sells are then added up within the theme, and a logistic
    regression over these sums, one for all themes, makes a probability of them. So any new text has
    one, and several texts have one each, independent of each other (multi-label).

    Args:
        tables: what the log says.
    """

    def __init__(self, tables: CampaignTables) -> None:
        super().__init__(name="campaign")
        self.weights = tf.Variable(tables.weights, trainable=False)
        self._centre = tf.Variable(np.float32(tables.centre), trainable=False)
        self._recent = tf.Variable(tf.exp(tables.log_recent.astype(np.float32)), trainable=False)

    def themes(self, creatives: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
        """Returns how far each product belongs to each theme, float32 `[themes, num_items + 1]`.

        Args:
            creatives: float32 `[themes, text_dimension]`, unit vectors.
            texts: float32 `[num_items + 1, text_dimension]`, unit vectors of the products.
        """
        cosines = tf.linalg.matmul(creatives, texts, transpose_b=True)
        inside = tf.sigmoid(SHARPNESS * (cosines - self._centre))
        return inside * tf.cast(tf.range(tf.shape(texts)[0]) > 0, tf.float32)

    def features(
        self,
        themes: tf.Tensor,
        theme: tf.Tensor,
        chances: tf.Tensor,
        queries: tf.Tensor,
        vectors: tf.Tensor,
        items: tf.Tensor,
        idle_days: tf.Tensor,
    ) -> tf.Tensor:
        """Describes shoppers with creatives.

        Args:
            themes: as `themes` returns it.
            theme: int `[batch, count]`, the rows of `themes` that each shopper is asked about.
            chances: float32 `[batch, num_items + 1]`, probabilities of the next choice.
            queries: float32 `[batch, dimension]`, unit vectors of the shoppers.
            vectors: float32 `[num_items + 1, dimension]`, unit vectors of the items.
            items: int64 `[batch, length]`, the latest of the histories, 0 for none.
            idle_days: float32 `[batch]`, days since the last event.

        Returns:
            float32 `[batch, count, len(FEATURES)]`.
        """
        there = tf.cast(items > 0, tf.float32)
        length = tf.reduce_sum(there, axis=1, keepdims=True)
        # [themes, batch, length] would hold every event for every theme; one sum each is enough.
        size = tf.shape(vectors, tf.int64)[0]
        rows = tf.repeat(tf.range(tf.shape(items, tf.int64)[0]), tf.shape(items, tf.int64)[1])
        index = tf.stack([rows, tf.reshape(items, [-1])], axis=1)
        history = tf.scatter_nd(
            index,
            tf.reshape(tf.math.divide_no_nan(there, length), [-1]),
            tf.stack([tf.shape(items, tf.int64)[0], size]),
        )
        missing = tf.cast(size, tf.int32) - tf.shape(self._recent)[0]
        recent = tf.pad(self._recent, [[0, missing]])
        expected = tf.linalg.matmul(chances, themes, transpose_b=True)
        had = tf.linalg.matmul(history, themes, transpose_b=True)
        sold = tf.linalg.matvec(themes, recent)
        volume = tf.reduce_sum(themes, axis=1)
        centres = tf.math.l2_normalize(
            tf.linalg.matmul(themes * recent + LEAST * themes, vectors), axis=1
        )
        near = tf.linalg.matmul(queries, centres, transpose_b=True)
        _, top = tf.math.top_k(chances, k=tf.minimum(TOP, tf.shape(chances)[1]))
        best_next = tf.reduce_max(tf.gather(tf.transpose(themes), top), axis=1)
        best_had = tf.reduce_max(
            tf.gather(tf.transpose(themes), items) * there[..., tf.newaxis], axis=1
        )
        shopper = tf.concat(
            [tf.math.log1p(length), tf.math.log1p(idle_days)[:, tf.newaxis]], axis=1
        )

        def of_pair(values: tf.Tensor) -> tf.Tensor:
            return tf.gather(values, theme, batch_dims=1)

        def of_theme(values: tf.Tensor) -> tf.Tensor:
            return tf.gather(values, theme)

        def of_shopper(place: int) -> tf.Tensor:
            return tf.repeat(shopper[:, place : place + 1], tf.shape(theme)[1], axis=1)

        return tf.stack(
            [
                tf.ones_like(theme, tf.float32),
                tf.math.log(of_pair(expected) + LEAST),
                of_pair(best_next),
                of_pair(had),
                of_pair(best_had),
                tf.math.log(of_theme(sold) + LEAST),
                of_pair(near),
                of_shopper(0),
                of_shopper(1),
                tf.math.log(of_theme(volume) + LEAST),
            ],
            axis=2,
        )

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the probabilities, float32 `[batch, count]`, of what `features` describes."""
        return tf.sigmoid(tf.linalg.matvec(features, self.weights))


TOP = 20
"""Most likely next choices among which the best fit is looked for."""
