"""Item features: an item table as arrays, row 0 for what is unknown."""

import numpy as np
import pandas as pd
import pytest

from tfrec.towers.features import ItemFeatures


def table():
    return pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "price": [2.0, np.nan, 0.0],
            "brand__values": [["x"], [], ["new", "y"]],
            "image_embedding": [None, [1.0, 2.0], None],
        }
    )


def test_arrays_worked_by_hand():
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    sizes = {"image_embedding": 2, "audio": 1}
    made = ItemFeatures.build(table(), vectors, {"brand": ["", "x", "y"]}, sizes)
    assert made.num_items == 3
    assert made.text.tolist() == [[0, 0], [0, 1], [2, 3], [4, 5]]
    # A brand that training did not know is left out.
    assert made.categories["brand"].tolist() == [[0], [1], [0], [2]]
    np.testing.assert_array_equal(made.price, np.float32([np.nan, 2, np.nan, 0]))
    assert made.vectors["image_embedding"].tolist() == [[0, 0], [0, 0], [1, 2], [0, 0]]
    # A catalogue need not have the column of a vector that the model reads.
    assert made.vectors["audio"].tolist() == [[0], [0], [0], [0]]
    assert made.has_prices


def test_columns_that_hold_nothing():
    items = table().assign(price=np.nan, image_embedding=None)
    made = ItemFeatures.build(items, np.zeros((3, 2)), {"brand": [""]})
    assert made.categories["brand"].tolist() == [[0]] * 4
    assert not made.has_prices and not made.vectors


def test_a_vector_for_every_item():
    with pytest.raises(ValueError, match="Received: 2 rows for 3 items"):
        ItemFeatures.build(table(), np.zeros((2, 2)), {})


def test_a_vector_of_another_size():
    with pytest.raises(ValueError, match=r"should have 3 numbers\. Received: one of 2"):
        ItemFeatures.build(table(), np.zeros((3, 2)), {}, {"image_embedding": 3})
