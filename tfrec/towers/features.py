"""What the item tower knows of every item, as arrays with one row an item."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tfrec.data.dataset import VALUES_SUFFIX, PreparedDataset
from tfrec.data.vectors import sizes_of_vectors, vector_matrix


@dataclass(frozen=True)
class ItemFeatures:
    """Feature arrays of `num_items + 1` rows; row 0 stands for padding and unknown items.

    Attributes:
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts.
        categories: int32 `[num_items + 1, max_values]` a column, padded with 0.
        vocabularies: the category names of each column; index 0 is padding.
        price: float32 `[num_items + 1]`, in the catalogue's currency; NaN where unknown.
        vectors: float32 `[num_items + 1, size]` a vector column, such as `image_embedding`; zero
            rows where there is none.
    """

    text: np.ndarray
    categories: dict[str, np.ndarray]
    vocabularies: dict[str, list[str]]
    price: np.ndarray
    vectors: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def num_items(self) -> int:
        """Number of items, the padding row not counted."""
        return len(self.text) - 1

    @property
    def has_prices(self) -> bool:
        """Whether any item has a price."""
        return bool(np.isfinite(self.price).any())

    @classmethod
    def build(
        cls,
        items: pd.DataFrame,
        text_vectors: np.ndarray,
        vocabularies: dict[str, list[str]],
        vector_sizes: dict[str, int] | None = None,
    ) -> "ItemFeatures":
        """Joins an item table with the vectors of its texts.

        Args:
            items: the item table of a prepared data set.
            text_vectors: float32 `[num_items, text_dimension]`, in the table's order.
            vocabularies: names of each categorical column's values, index 0 being padding; values
                that are not in it are left out.
            vector_sizes: size of the vectors of each vector column; the table may lack columns.

        Raises:
            ValueError: if the number of text vectors differs from the number of items, or a vector
                has another size than its column's.
        """
        if len(text_vectors) != len(items):
            raise ValueError(
                "`text_vectors` should have one row an item. "
                f"Received: {len(text_vectors)} rows for {len(items)} items"
            )
        return cls(
            text=_with_padding_row(text_vectors),
            categories={
                column: _category_indices(items[f"{column}{VALUES_SUFFIX}"], vocabulary)
                for column, vocabulary in vocabularies.items()
            },
            vocabularies=vocabularies,
            price=_with_padding_row(items["price"].to_numpy(np.float32), fill=np.nan),
            vectors={
                column: _with_padding_row(vector_matrix(items, column, size))
                for column, size in (vector_sizes or {}).items()
            },
        )

    @classmethod
    def of(
        cls,
        dataset: PreparedDataset,
        text_vectors: np.ndarray,
        vector_sizes: dict[str, int] | None = None,
    ) -> "ItemFeatures":
        """Returns the features of a prepared data set's items; see `build`.

        Args:
            dataset: the data set.
            text_vectors: float32 `[num_items, text_dimension]`.
            vector_sizes: those of a trained model; by default, of the columns that any item has.
        """
        vocabularies = {
            column: dataset.categories(column).vocabulary for column in dataset.categorical_columns
        }
        if vector_sizes is None:
            vector_sizes = sizes_of_vectors(dataset.items, dataset.manifest.config.vector_columns)
        return cls.build(dataset.items, text_vectors, vocabularies, vector_sizes)


def _category_indices(values: pd.Series, vocabulary: list[str]) -> np.ndarray:
    index = {name: position for position, name in enumerate(vocabulary) if position}
    known = [[index[value] for value in row if value in index] for row in values]
    matrix = np.zeros((len(known) + 1, max((len(row) for row in known), default=0) or 1), np.int32)
    for position, row in enumerate(known, start=1):
        matrix[position, : len(row)] = row
    return matrix


def _with_padding_row(values: np.ndarray, fill: float = 0.0) -> np.ndarray:
    first = np.full((1, *values.shape[1:]), fill, dtype=np.float32)
    return np.concatenate([first, values.astype(np.float32)])
