"""The catalogue inside a model: feature tables of all items, and the text encoder behind them."""

import numpy as np
import tensorflow as tf

from tfrec.towers.bert.trained_texts import TrainedTexts
from tfrec.towers.features import ItemFeatures


class Catalogue(tf.Module):
    """Holds every item's features as variables that are not trained.

    With texts to train on, the text vectors of items in a batch are computed anew at every step,
    with gradients, and stored; the vectors of all other items are those of the last time they were
    computed. So a step costs the encoding of its own distinct items, however large the catalogue
    is.

    Args:
        features: the items' features.
        text_encoder: a `BertTextTower` to train, or `None` for fixed text vectors.
        texts: the texts of all items, for training `text_encoder`; not needed otherwise.
    """

    def __init__(
        self,
        features: ItemFeatures,
        text_encoder: tf.keras.layers.Layer | None = None,
        texts: TrainedTexts | None = None,
    ) -> None:
        super().__init__(name="catalogue")
        self.num_items = features.num_items
        self.text = tf.Variable(features.text, trainable=False, name="text")
        self.price = tf.Variable(features.price, trainable=False, name="price")
        # Numbered, as a column's name may hold what a SavedModel allows in no name of a variable.
        self.categories = {
            column: tf.Variable(values, trainable=False, name=f"category_{index}")
            for index, (column, values) in enumerate(features.categories.items())
        }
        self.vectors = {
            column: tf.Variable(values, trainable=False, name=f"vector_{index}")
            for index, (column, values) in enumerate(features.vectors.items())
        }
        self.text_encoder = text_encoder
        self.texts = texts

    def set_text(self, vectors: np.ndarray) -> None:
        """Replaces the text vectors of all items, float `[num_items, text_dimension]`."""
        self.text[1:].assign(vectors)

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """The variables that the text encoder's policy trains, and no others.

        `tf.Module` would list every variable of the encoder, as Keras marks a frozen layer, not
        its variables.
        """
        return () if self.text_encoder is None else tuple(self.text_encoder.trainable_variables)

    def all_features(self, encode_ids: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns the features of all items, row 0 included.

        Args:
            encode_ids: items `[count]` whose texts are encoded anew, with gradients; ignored
                without texts to train on.
        """
        return self._features(tf.range(self.num_items + 1), self._text_with_fresh(encode_ids))

    def features(self, ids: tf.Tensor, encode_ids: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Returns the features of the items `ids` `[...]`; see `all_features`."""
        text = tf.gather(self._text_with_fresh(encode_ids), ids)
        return self._features(ids, text)

    def _features(self, ids: tf.Tensor, text: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {"id": ids, "text": text, "price": tf.gather(self.price, ids)}
        for column, table in self.categories.items():
            features[f"category/{column}"] = tf.gather(table, ids)
        for column, table in self.vectors.items():
            features[f"vector/{column}"] = tf.gather(table, ids)
        return features

    def _text_with_fresh(self, encode_ids: tf.Tensor | None) -> tf.Tensor:
        if self.texts is None or encode_ids is None:
            return self.text
        ids, vectors = self.texts.encode(encode_ids)
        fresh = tf.cast(vectors, tf.float32)
        indices = ids[:, tf.newaxis]
        before = tf.identity(self.text)
        with tf.control_dependencies([before]):
            stored = self.text.scatter_nd_update(indices, tf.stop_gradient(fresh))
        with tf.control_dependencies([stored]):
            return tf.tensor_scatter_nd_update(before, indices, fresh)
