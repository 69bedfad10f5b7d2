"""What the item tower knows of every item, as arrays with one row an item."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfrec.data.dataset import PreparedDataset


@dataclass(frozen=True)
class ItemFeatures:
    """Feature arrays of `num_items + 1` rows; row 0 stands for padding and unknown items.

    Attributes:
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts.
        categories: int32 `[num_items + 1, max_values]` a column, padded with 0.
        vocabularies: the category names of each column; index 0 is padding.
        price: float32 `[num_items + 1]`, in the catalogue's currency; NaN where unknown.
        image: float32 `[num_items + 1, image_dimension]`, zero rows where there is none.
    """

    text: np.ndarray
    categories: dict[str, np.ndarray]
    vocabularies: dict[str, list[str]]
    price: np.ndarray
    image: np.ndarray | None = None

    @property
    def num_items(self) -> int:
        """Number of items, the padding row not counted."""
        return len(self.text) - 1

    @classmethod
    def build(cls, dataset: PreparedDataset, text_vectors: np.ndarray) -> "ItemFeatures":
        """Joins a prepared data set's item table with the vectors of its texts.

        Args:
            dataset: the prepared data set.
            text_vectors: float32 `[num_items, text_dimension]`, in the item table's order.

        Raises:
            ValueError: if the number of vectors differs from the number of items.
        """
        if len(text_vectors) != dataset.num_items:
            raise ValueError(
                "`text_vectors` should have one row an item. "
                f"Received: {len(text_vectors)} rows for {dataset.num_items} items"
            )
        tables = {name: dataset.categories(name) for name in dataset.categorical_columns}
        return cls(
            text=_with_padding_row(text_vectors),
            categories={name: table.values for name, table in tables.items()},
            vocabularies={name: table.vocabulary for name, table in tables.items()},
            price=_with_padding_row(dataset.items["price"].to_numpy(np.float32), fill=np.nan),
            image=_image_matrix(dataset.items),
        )


def _with_padding_row(values: np.ndarray, fill: float = 0.0) -> np.ndarray:
    first = np.full((1, *values.shape[1:]), fill, dtype=np.float32)
    return np.concatenate([first, values.astype(np.float32)])


def _image_matrix(items: pd.DataFrame) -> np.ndarray | None:
    if "image_embedding" not in items:
        return None
    vectors = items["image_embedding"]
    present = vectors.notna()
    if not present.any():
        return None
    dimension = len(vectors[present].iloc[0])
    image = np.zeros((len(items), dimension), np.float32)
    image[present.to_numpy()] = np.stack(vectors[present].to_list())
    return _with_padding_row(image)
