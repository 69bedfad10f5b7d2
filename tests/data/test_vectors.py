"""Columns of vectors: what is read, what is missing and what is rejected, each with a reason."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.data.shop import table_of
from tfrec.config import DataConfig
from tfrec.data.catalogue import add_unknown_items, build_catalogue
from tfrec.data.vectors import read_vectors, sizes_of_vectors, vector_matrix
from tfrec.errors import UserError


def read(values):
    table = table_of(v=values)
    vectors = read_vectors(table, "v")
    assert {vector.dtype for vector in vectors if vector is not None} <= {np.dtype(np.float32)}
    return [None if vector is None else vector.tolist() for vector in vectors], table.counts()


FAULTS = [
    ("[1, 2, 3]", "wrong_length"),
    ("[1]", "wrong_length"),
    ("[1, NaN]", "not_finite"),
    ("[1, Infinity]", "not_finite"),
    ("[1, null]", "not_finite"),
    ("[1e39, 1]", "not_finite"),  # beyond float32
    ('["x", 1]', "wrong_type"),
    ('["1", "2"]', "wrong_type"),
    ("[true, 1]", "wrong_type"),
    ("[[1, 2], [3, 4]]", "wrong_type"),
    ('{"a": 1}', "wrong_type"),
    ("picture.jpg", "wrong_type"),
    ("7", "wrong_type"),
]


@pytest.mark.parametrize(("text", "reason"), FAULTS)
def test_every_fault_of_a_text_has_its_reason(text, reason):
    vectors, rejected = read(["[1, 2]", text, "[3, 4]", "[5, 6]"])
    assert vectors == [[1, 2], None, [3, 4], [5, 6]]
    assert rejected == {f"{reason}:v": 1}


@pytest.mark.parametrize("text", ["", "  ", "nan", "NULL", "[]", "[0, 0]", None])
def test_what_is_missing_is_no_fault(text):
    assert read(["[1, 2]", text]) == ([[1, 2], None], {})


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.int16())]
)
def test_lists_of_every_type(kind):
    values = [[1, 2], None, [], [0, 0], [3, 4], [5], [6, 7]]
    chunks = pa.chunked_array([pa.array(values[:5], kind), pa.array(values[5:], kind)])
    vectors, rejected = read(chunks)
    assert vectors == [[1, 2], None, None, None, [3, 4], None, [6, 7]]
    assert rejected == {"wrong_length:v": 1}


def test_lists_of_a_fixed_size_and_pieces_of_columns():
    values = pa.array([[9, 9], None, [1, 2], [3, 4], [9, 9]], pa.list_(pa.float32(), 2))
    assert read(values.slice(1, 3)) == ([None, [1, 2], [3, 4]], {})


def test_numbers_that_are_missing_or_not_finite_in_lists():
    lists = pa.array([[1.0, None], [1.0, np.inf], [1e39, 1.0], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    vectors, rejected = read(lists)
    assert vectors == [None, None, None, [1, 2], [3, 4], [5, 6]]
    assert rejected == {"not_finite:v": 3}


def test_nested_lists_are_no_vectors():
    with pytest.raises(UserError, match="lists of numbers of one length"):
        read([[[1.0]], [[2.0]]])


def test_a_column_that_is_mostly_wrong_is_the_mistake():
    with pytest.raises(UserError, match=r"column `v` of log.csv .* but 2 of 3 rows do not"):
        read(["a.jpg", "b.jpg", "[1, 2]"])


def test_a_column_without_any_vector():
    assert read(["", None]) == ([None, None], {})
    assert read(pa.array([None, None], pa.list_(pa.float32()))) == ([None, None], {})


def test_sizes_and_matrices_of_an_item_table():
    items = pd.DataFrame(
        {
            "image": [None, np.float32([1, 2]), None],
            "audio": [None, np.float32([1, 2, 3]), np.float32([4, 5, 6])],
            "smell": [None, None, None],
        }
    )
    sizes = sizes_of_vectors(items, ["audio", "image", "smell", "nothing"])
    assert sizes == {"audio": 3, "image": 2}
    assert vector_matrix(items, "image", 2).tolist() == [[0, 0], [1, 2], [0, 0]]
    assert vector_matrix(items, "nothing", 1).tolist() == [[0], [0], [0]]


def catalogue(columns, **more):
    table = table_of(item_id=["a", "b", "c"], title=["A", "B", "C"], **more)
    return table, build_catalogue(table, DataConfig(vector_columns=columns))


def test_every_named_column_of_a_catalogue_is_read():
    table, made = catalogue(
        ["image_embedding", "sound"],
        image_embedding=["[1, 2]", "", "[3, 4]"],
        sound=["[1]", "[2]", "[NaN]"],
        smell=["[1]", "[2]", "[3]"],
    )
    assert table.counts() == {"not_finite:sound": 1}
    assert "smell" not in made.frame and made.notes == []
    assert [None if row is None else row.tolist() for row in made.frame["image_embedding"]] == [
        [1, 2], None,
    ]  # fmt: skip
    grown = add_unknown_items(made, ["x"]).frame.set_index("item_id")
    assert grown["sound"]["x"] is None and grown["sound"]["b"].tolist() == [2]


def test_a_catalogue_may_lack_a_column_but_a_typo_is_told():
    _, made = catalogue(["image_embedding", "sound"])
    assert made.notes == ["no item has a vector in `sound`, as the catalogue has no such column"]
    with pytest.raises(UserError, match=r"no column `sounds`, .*; did you mean `sound`\?"):
        catalogue(["sounds"], sound=["[1]", "[2]", "[3]"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vector_columns": ["title"]}, "`title` cannot hold vectors and something else"),
        ({"vector_columns": ["brand"]}, "`brand` cannot hold vectors"),
        ({"vector_columns": ["price"]}, "`price` cannot hold vectors"),
        ({"vector_columns": ["a", "a"]}, "should name every column once"),
    ],
)
def test_columns_that_cannot_hold_vectors(settings, message):
    with pytest.raises(ValueError, match=message):
        DataConfig.model_validate(settings)
