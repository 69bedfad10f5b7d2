"""Columns with one vector an item: what a model said of its picture, its sound or the like."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.data.cells import MISSING_WORDS, refuse_wrong_column
from tfrec.data.table import Table

# What is wrong with a cell; 0 is nothing.
_TYPE, _FINITE, _LENGTH = 1, 2, 3
_REASONS = {_TYPE: "wrong_type", _FINITE: "not_finite", _LENGTH: "wrong_length"}


def read_vectors(table: Table, name: str) -> list[np.ndarray | None]:
    """Returns column `name` as one float32 vector a row, all of one length, None where missing.

    Text is read as JSON. An empty list and a vector of zeros are missing, as which tools write
    them. Rejected are rows that hold other things than numbers (`wrong_type`), a number that is
    missing, infinite or too large for float32 (`not_finite`), or another count of numbers than
    most rows (`wrong_length`).

    Raises:
        UserError: if more than half of the rows are wrong.
    """
    column = table.columns.column(name)
    kind = column.type
    nested = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if (nested or pa.types.is_fixed_size_list(kind)) and _is_number(kind.value_type):
        rows = [vector for chunk in column.chunks for vector in _of_lists(chunk)]
        wrong = np.zeros(len(rows), np.int8)
    else:
        cells = [_of_cell(value) for value in column.to_pylist()]
        rows = [vector for vector, _ in cells]
        wrong = np.array([_TYPE if is_wrong else 0 for _, is_wrong in cells], np.int8)
    for i, vector in enumerate(rows):
        if vector is not None and not np.isfinite(vector).all():
            rows[i], wrong[i] = None, _FINITE
        elif vector is not None and not vector.any():
            rows[i] = None
    lengths = np.array([0 if vector is None else len(vector) for vector in rows], np.int64)
    if lengths.any():
        other = (lengths > 0) & (lengths != np.bincount(lengths[lengths > 0]).argmax())
        wrong[other] = _LENGTH
    refuse_wrong_column(table, name, wrong > 0, "lists of numbers of one length")
    for code, reason in _REASONS.items():
        table.reject(wrong == code, f"{reason}:{name}")
    return [None if wrong[i] else vector for i, vector in enumerate(rows)]


def sizes_of_vectors(items: pd.DataFrame, columns: Iterable[str]) -> dict[str, int]:
    """Returns the size of the vectors of each of `columns` in which any item has one.

    Args:
        items: an item table, which may lack columns.
        columns: names.
    """
    present = {column: items[column].dropna() for column in columns if column in items}
    return {column: len(vectors.iloc[0]) for column, vectors in present.items() if len(vectors)}


def vector_matrix(items: pd.DataFrame, column: str, size: int) -> np.ndarray:
    """Returns the vectors of an item table, float32 `[num_items, size]`; zeros for none.

    Raises:
        ValueError: if a vector has another size.
    """
    matrix = np.zeros((len(items), size), np.float32)
    for row, vector in enumerate(items.get(column, ())):
        if vector is not None:
            if len(vector) != size:
                raise ValueError(
                    f"vectors of `{column}` should have {size} numbers. Received: one of "
                    f"{len(vector)}"
                )
            matrix[row] = vector
    return matrix


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _of_lists(lists: pa.Array) -> list[np.ndarray | None]:
    """Returns the vectors of an Arrow array of lists of numbers; NaN for a missing number."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    flat = _as_float32(lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False))
    ends = np.cumsum(lengths)
    return [
        flat[end - length : end] if length else None
        for end, length in zip(ends, lengths, strict=True)
    ]


def _of_cell(value: Any) -> tuple[np.ndarray | None, bool]:
    """Returns the vector of any other cell, and whether the cell is none."""
    if isinstance(value, str):
        if value.strip().lower() in ("", *MISSING_WORDS):
            return None, False
        try:
            value = json.loads(value)
        except ValueError:
            return None, True
    if value is None:
        return None, False
    if not isinstance(value, list) or any(isinstance(part, str | bool) for part in value):
        return None, True
    try:
        numbers = np.array([np.nan if part is None else part for part in value], np.float64)
    except (TypeError, ValueError, OverflowError):
        return None, True
    if numbers.ndim != 1:
        return None, True
    return (_as_float32(numbers) if len(numbers) else None), False


def _as_float32(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)
