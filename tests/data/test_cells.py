import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.data.shop import table_of
from tfrec.data import cells
from tfrec.errors import UserError


def test_numbers_are_read_from_text_and_one_wrong_cell_costs_one_row():
    table = table_of(price=["1.5", " 2 ", "", None, "NaN", "n/a", "abc", "1e3", "inf"])
    values = cells.numbers(table, "price")
    np.testing.assert_array_equal(
        values, [1.5, 2, np.nan, np.nan, np.nan, np.nan, np.nan, 1000, np.nan]
    )
    assert table.counts() == {"wrong_type:price": 2}
    assert (~table.kept).nonzero()[0].tolist() == [6, 8]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2, None], pa.int32()),
        pa.array([1.0, 2.0, None]),
        pa.array(["1", "2", None]),
        pa.array(["1", "2", None]).dictionary_encode(),
        pa.array(["1", "2", None], pa.large_string()),
    ],
)
def test_numbers_of_any_type(column):
    table = table_of(n=column)
    np.testing.assert_array_equal(cells.numbers(table, "n"), [1, 2, np.nan])
    assert not table.counts()


def test_a_mostly_wrong_column_is_the_mistake():
    table = table_of(price=["a", "b", "3"])
    message = r"column `price` of log\.csv should hold numbers, but 2 of 3 rows.*row 0: 'a', row 1"
    with pytest.raises(UserError, match=message):
        cells.numbers(table, "price")
    with pytest.raises(UserError, match="should hold numbers"):
        cells.numbers(table_of(price=[True, False]), "price")


def test_texts_refuse_lists():
    with pytest.raises(UserError, match=r"column `title` of log\.csv should hold text"):
        cells.texts(table_of(title=[["a"]]), "title")


def test_flags():
    table = table_of(available=["yes", "0", None, "TRUE", "maybe", "f"])
    values = cells.flags(table, "available", default=True)
    assert values[table.kept].tolist() == [True, False, True, True, False]
    assert table.counts() == {"wrong_type:available": 1}
    assert cells.flags(table_of(x=[True, None]), "x", default=True).tolist() == [True, True]
    assert cells.flags(table_of(x=[1, 0]), "x", default=True).tolist() == [True, False]


def test_lists_split_trim_and_drop_repeats():
    table = table_of(c=["a, b,a,", None, " x  y "])
    assert cells.lists(table, "c", ",") == [["a", "b"], [], ["x y"]]
    assert cells.lists(table, "c", None) == [["a, b,a,"], [], ["x y"]]
    nested = table_of(c=[[["Beauty", "Hair"], ["Beauty"]], None])
    assert cells.lists(nested, "c", ",") == [["Beauty", "Hair"], []]


def test_phrases_are_one_line_each():
    assert cells.phrases(table_of(t=[" a\n b ", None]), "t").tolist() == ["a b", ""]
    assert cells.phrases(table_of(t=[["a", "b"], None]), "t").tolist() == ["a, b", ""]


def test_the_index_of_results_counts_rows():
    values = cells.numbers(table_of(n=pa.chunked_array([[1], [2]])), "n")
    assert isinstance(values.index, pd.RangeIndex)
    assert len(values) == 2
