"""The item tower: everything known of a product becomes one unit vector."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.towers.fusion import ID_INSTEAD, Fusion, TextIdFusion
from tfrec.towers.vectors import VectorProjection


@tf.keras.utils.register_keras_serializable(package="tfrec")
class ItemTower(tf.keras.layers.Layer):
    """Sums a text projection, an id offset and attribute embeddings into a unit vector.

    Other ways than the sum of text and id are those of `TextIdFusion`.

    The text projection starts as the principal components of the catalogue's text vectors, and
    the id table starts at zero, so at the first step an item is where its text puts it and
    training moves it from there. An item that was never trained, or whose id is dropped, is
    placed by its text and attributes alone; id-dropout trains exactly that case.

    Args:
        dimension: size of the item vector.
        num_ids: number of trained ids; id 0 and ids above it have no offset.
        text_dimension: size of the text vectors.
        category_sizes: vocabulary size, padding included, of each categorical column.
        use_price: whether prices are read.
        vector_sizes: size of the vectors of each vector column, such as `image_embedding`.
        id_dropout: share of id offsets dropped in training.
        vector_dropout: the same of the vectors of each vector column.
        fusion: how text and id become one vector.

    Call arguments (leading dimensions `...` are shared by all inputs):
        features: dictionary with `id` int `[...]`, `text` float `[..., text_dimension]`,
            `category/<column>` int `[..., max_values]` (0 pads), `price` float `[...]` (NaN for
            unknown) and `vector/<column>` float `[..., size]` (zeros for none).
        training: whether ids and vectors are dropped.
        offsets: float `[num_offsets, dimension]`, the id offsets of the items `id` in place of
            the trained ones.

    Returns:
        float `[..., dimension]`, of Euclidean norm 1.
    """

    def __init__(
        self,
        dimension: int,
        num_ids: int,
        text_dimension: int,
        category_sizes: dict[str, int] | None = None,
        use_price: bool = False,
        vector_sizes: dict[str, int] | None = None,
        id_dropout: float = 0.1,
        vector_dropout: float = 0.1,
        fusion: Fusion = "sum",
        **kwargs: Any,
    ) -> None:
        # Prices keep their precision: with mixed precision Keras would round them on the way in.
        super().__init__(autocast=False, **kwargs)
        if dimension < 1:
            raise ValueError(f"`dimension` should be a positive integer. Received: {dimension}")
        self.dimension = dimension
        self.num_ids = num_ids
        self.text_dimension = text_dimension
        self.category_sizes = dict(category_sizes or {})
        self.use_price = use_price
        self.vector_sizes = dict(vector_sizes or {})
        self.id_dropout = id_dropout
        self.vector_dropout = vector_dropout
        self.fusion = TextIdFusion(fusion, dimension, name="fusion", dtype=self.dtype_policy)
        random = tf.keras.initializers.RandomNormal(stddev=dimension**-0.5)
        self.id_offset = self.add_weight(
            name="id_offset",
            shape=(num_ids + 1, dimension),
            initializer=random if fusion == "id" else "zeros",
            trainable=fusion != "text",
        )
        self.text_projection = self.add_weight(
            name="text_projection",
            shape=(text_dimension, dimension),
            initializer="orthogonal",
            trainable=fusion not in ID_INSTEAD,
        )
        self.text_mean = self.add_weight(
            name="text_mean", shape=(text_dimension,), initializer="zeros", trainable=False
        )
        self.price_scale = self.add_weight(
            name="price_scale",
            shape=(2,),
            initializer="zeros",
            trainable=False,
            experimental_autocast=False,
        )
        # Numbered, as a column's name may hold what a SavedModel allows in no name of a variable.
        self.category_tables = {
            column: self.add_weight(
                name=f"category_{index}", shape=(size, dimension), initializer="zeros"
            )
            for index, (column, size) in enumerate(self.category_sizes.items())
        }
        if use_price:
            self.price_projection = self.add_weight(
                name="price_projection", shape=(2, dimension), initializer="zeros"
            )
        self.vector_projections = {
            column: VectorProjection(
                dimension, size, vector_dropout, name=f"vector_{index}", dtype=self.dtype_policy
            )
            for index, (column, size) in enumerate(self.vector_sizes.items())
        }

    def adapt(
        self, text: np.ndarray, price: np.ndarray, vectors: dict[str, np.ndarray] | None = None
    ) -> None:
        """Starts the text projection from principal components; scales prices and vectors.

        Args:
            text: float `[num_items, text_dimension]`, the catalogue's text vectors.
            price: float `[num_items]`, NaN where unknown.
            vectors: float `[num_items, size]` a vector column, zeros for none.
        """
        mean = text.mean(axis=0)
        centred = text - mean
        _, directions = np.linalg.eigh(centred.T @ centred)
        components = directions[:, ::-1][:, : self.dimension]
        projection = self.text_projection.numpy()
        projection[:, : components.shape[1]] = components
        # Items start with norm around 1, so that a step of the optimiser moves an id as far as
        # it would move a freshly initialised embedding.
        norm = np.sqrt(np.mean(np.sum((centred @ projection) ** 2, axis=1)))
        self.text_projection.assign(projection / max(float(norm), 1e-6))
        self.text_mean.assign(mean)
        if self.fusion.kind == "id_from_text":
            placed = (centred @ self.text_projection.numpy())[: self.num_ids]
            self.id_offset[1 : len(placed) + 1].assign(placed)
        known = np.log1p(np.maximum(price[np.isfinite(price)], 0.0))
        if self.use_price and len(known):
            self.price_scale.assign([known.mean(), max(float(known.std()), 1e-3)])
        for column, values in (vectors or {}).items():
            self.vector_projections[column].adapt(values)

    def call(
        self,
        features: dict[str, tf.Tensor],
        training: bool = False,
        offsets: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns one unit vector an item; see the class docstring for shapes."""
        dtype = self.compute_dtype
        text = tf.cast(features["text"], dtype) - tf.cast(self.text_mean, dtype)
        if offsets is None:
            ids, known = self._id_part(features["id"], training)
        else:
            ids = tf.cast(tf.gather(offsets, features["id"]), dtype)
            known = tf.cast(tf.reduce_any(ids != 0, axis=-1, keepdims=True), dtype)
        text = tf.tensordot(text, tf.cast(self.text_projection, dtype), 1)
        total = self.fusion(text, ids, known)
        for column, table in self.category_tables.items():
            total += _mean_embedding(tf.cast(table, dtype), features[f"category/{column}"])
        if self.use_price:
            total += self._price_part(features["price"])
        for column, projection in self.vector_projections.items():
            total += projection(features[f"vector/{column}"], training=training)
        return tf.math.l2_normalize(total, axis=-1, epsilon=1e-9)

    def _id_part(self, ids: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the vectors of ids `[..., dimension]`, and 1 where there is one `[..., 1]`."""
        known = tf.logical_and(ids > 0, ids <= self.num_ids)
        offset = tf.gather(self.id_offset, tf.where(known, ids, tf.zeros_like(ids)))
        keep = tf.cast(known, self.compute_dtype)
        # Without its id an item of fusion `id` would be where no training ever put it.
        if training and self.id_dropout > 0 and self.fusion.kind != "id":
            # No rescaling: at inference a trained id carries its whole offset, and an unknown one
            # none, which are the two cases seen in training.
            kept = tf.random.uniform(tf.shape(ids)) >= self.id_dropout
            keep *= tf.cast(kept, self.compute_dtype)
        keep = keep[..., tf.newaxis]
        return tf.cast(offset, self.compute_dtype) * keep, keep

    def _price_part(self, price: tf.Tensor) -> tf.Tensor:
        known = tf.math.is_finite(price)
        log_price = tf.math.log1p(tf.maximum(tf.where(known, price, tf.zeros_like(price)), 0.0))
        scaled = tf.math.divide_no_nan(log_price - self.price_scale[0], self.price_scale[1])
        flag = tf.cast(known, tf.float32)
        inputs = tf.stack([tf.clip_by_value(scaled, -4.0, 4.0) * flag, flag], axis=-1)
        return tf.tensordot(
            tf.cast(inputs, self.compute_dtype),
            tf.cast(self.price_projection, self.compute_dtype),
            1,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "dimension": self.dimension,
            "num_ids": self.num_ids,
            "text_dimension": self.text_dimension,
            "category_sizes": dict(self.category_sizes),
            "use_price": self.use_price,
            "vector_sizes": dict(self.vector_sizes),
            "id_dropout": self.id_dropout,
            "vector_dropout": self.vector_dropout,
            "fusion": self.fusion.kind,
        }


def _mean_embedding(table: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    present = tf.cast(values > 0, table.dtype)[..., tf.newaxis]
    total = tf.reduce_sum(tf.gather(table, values) * present, axis=-2)
    return tf.math.divide_no_nan(total, tf.reduce_sum(present, axis=-2))
