"""A product as clients describe it, turned into the features that the item tower reads."""

import pandas as pd
import tensorflow as tf

from tfrec.config import DataConfig
from tfrec.data.dataset import VALUES_SUFFIX
from tfrec.data.schema import ITEM_PHRASES
from tfrec.data.tensor_names import tensor_names
from tfrec.export.histories import TEXTS
from tfrec.towers.spec import DataSpec

# What Python and Arrow call white space, as the preparation of data splits and trims at it.
_WHITE_SPACE = (
    r"[\t-\r\x1c-\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}"
    r"\x{3000}]+"
)
# Columns of the data contract that are no text.
_NOT_TEXT = ("price", "available", "launched_at")


class ItemReader(tf.Module):
    """Reads the inputs of `embed_item` as the preparation of data reads a catalogue.

    A column with several values an item is one string, split where the configuration says; at
    commas where the catalogue itself held lists.

    Args:
        config: which columns make texts and categories.
        spec: vocabularies of the model.
        items: the item table.
    """

    def __init__(self, config: DataConfig, spec: DataSpec, items: pd.DataFrame) -> None:
        super().__init__(name="item_features")
        self._spec = spec
        self._text_columns = [name for name in config.text_columns if name not in _NOT_TEXT]
        columns = dict.fromkeys([*ITEM_PHRASES, *self._text_columns, *spec.categories])
        names = tensor_names([*columns, *spec.vector_sizes])
        self._names = {column: names[column] for column in columns}
        self._vectors = {column: names[column] for column in spec.vector_sizes}
        separators = {column.column: column.separator for column in config.categorical_columns}
        self._separators = {
            column: separators.get(column) or ("," if _has_lists(items, column) else None)
            for column in spec.categories
        }
        self._categories = {
            column: tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(
                    tf.constant(names), tf.range(len(names), dtype=tf.int32)
                ),
                default_value=0,
            )
            for column, names in spec.categories.items()
        }

    @property
    def inputs(self) -> dict[str, tf.TensorSpec]:
        """The inputs: strings and the price (NaN where unknown), `[batch]`, and vectors.

        A vector is float32 `[batch, size]`, 0 throughout where there is none.
        """
        texts = dict.fromkeys(self._names.values(), TEXTS)
        vectors = {
            name: tf.TensorSpec([None, self._spec.vector_sizes[column]], tf.float32)
            for column, name in self._vectors.items()
        }
        return {**texts, "price": tf.TensorSpec([None], tf.float32), **vectors}

    def text(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the text `[batch]` of each item: the parts that are not empty, with ". "."""
        text = tf.zeros_like(inputs["title"])
        for column in self._text_columns:
            part = phrase(inputs[self._names[column]])
            both = tf.strings.join([text, part], separator=". ")
            text = tf.where(part == "", text, tf.where(text == "", part, both))
        return text

    def features(self, inputs: dict[str, tf.Tensor], text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what the item tower takes, for items without an id.

        Args:
            inputs: see `inputs`.
            text: float32 `[batch, text_dimension]`, vectors of the items' texts.
        """
        batch = tf.shape(text)[0]
        features = {"id": tf.zeros([batch], tf.int64), "text": text, "price": inputs["price"]}
        for column in self._spec.categories:
            features[f"category/{column}"] = self._values(column, inputs[self._names[column]])
        for column, name in self._vectors.items():
            features[f"vector/{column}"] = inputs[name]
        return features

    def category(self, column: str, names: tf.Tensor) -> tf.Tensor:
        """Returns the int32 values of `names` of any shape, as the catalogue has them; 0 for none.

        Args:
            column: a categorical column.
            names: single categories.
        """
        return self._categories[column].lookup(phrase(names))

    def _values(self, column: str, texts: tf.Tensor) -> tf.Tensor:
        """Returns the int32 `[batch, count]` category values of each text, each value once."""
        separator = self._separators[column]
        if separator is None:
            return self.category(column, texts)[:, tf.newaxis]
        parts = tf.strings.split(texts, separator)
        parts = parts.with_flat_values(phrase(parts.flat_values)).to_tensor()
        values = self._categories[column].lookup(parts)
        count = tf.shape(values)[1]
        equal = values[:, :, tf.newaxis] == values[:, tf.newaxis, :]
        earlier = tf.range(count)[tf.newaxis, :] < tf.range(count)[:, tf.newaxis]
        repeated = tf.reduce_any(tf.logical_and(equal, earlier), axis=2)
        return tf.where(repeated, 0, values)


def phrase(texts: tf.Tensor) -> tf.Tensor:
    """Returns texts trimmed, and with one space for any white space in them."""
    return tf.strings.strip(tf.strings.regex_replace(texts, _WHITE_SPACE, " "))


def _has_lists(items: pd.DataFrame, column: str) -> bool:
    return bool((items[f"{column}{VALUES_SUFFIX}"].map(len) > 1).any())
