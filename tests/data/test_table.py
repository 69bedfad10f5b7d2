import numpy as np
import pyarrow as pa
import pytest

from tests.data.shop import table_of
from tfrec.data.table import concatenate, to_text
from tfrec.errors import UserError


def test_the_first_reason_stands_and_the_counts_add_up():
    table = table_of(x=[1, 2, 3, 4])
    assert table.reject(np.array([True, True, False, False]), "early") == 2
    assert table.reject(np.array([False, True, True, False]), "late") == 1
    table.reject_rows(np.array([1, 2]), "never")
    assert table.counts() == {"early": 2, "late": 1}
    assert table.kept.tolist() == [False, False, False, True]
    assert table.examples() == {"early": "log.csv row 0", "late": "log.csv row 2"}


def test_rejected_rows_are_strings_with_their_place_and_a_hashed_user():
    table = table_of(user_id=["ann", "bob"], n=[1.5, None], parts=[["a"], ["b"]])
    table.user_column = "user_id"
    table.reject(np.array([False, True]), "bad")
    rejected = table.rejected(lambda rows: pa.array([f"hash of {row}" for row in rows]))
    assert rejected.to_pylist() == [
        {
            "source_file": "log.csv",
            "row": 1,
            "reason": "bad",
            "user_id": "hash of 1",
            "n": None,
            "parts": "['b']",
        }
    ]


def test_raw_columns_that_clash_with_ours_are_kept_under_another_name():
    table = table_of(row=["x"], reason=["y"])
    table.reject(np.array([True]), "bad")
    assert table.rejected().to_pylist() == [
        {"source_file": "log.csv", "row": 0, "reason": "bad", "raw_row": "x", "raw_reason": "y"}
    ]


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"log\.csv has no column `user_id`.*`user`, `item`"):
        table_of(user=[1], item=[2]).require(["user_id"], "events")


def test_text_is_trimmed_and_whole_numbers_lose_their_point():
    assert to_text(pa.chunked_array([[" a ", "", "  ", None]])).to_pylist() == [
        "a",
        None,
        None,
        None,
    ]
    assert to_text(pa.chunked_array([[17850.0, None]])).to_pylist() == ["17850", None]
    assert to_text(pa.chunked_array([[1.5, 2.0]])).to_pylist() == ["1.5", "2"]
    assert to_text(pa.chunked_array([pa.array(["x"]).dictionary_encode()])).to_pylist() == ["x"]
    for odd in (pa.array([True]), pa.array([["a"]]), pa.array([b"a"])):
        with pytest.raises(pa.ArrowInvalid):
            to_text(pa.chunked_array([odd]))


def test_files_with_clashing_column_types_join_as_strings():
    joined = concatenate([pa.table({"a": [1, 2], "b": [1] * 2}), pa.table({"a": ["x"]})])
    assert joined.to_pylist() == [
        {"a": "1", "b": 1},
        {"a": "2", "b": 1},
        {"a": "x", "b": None},
    ]
    widened = concatenate([pa.table({"a": [1]}), pa.table({"a": [0.5]})])
    assert widened.column("a").to_pylist() == [1.0, 0.5]
