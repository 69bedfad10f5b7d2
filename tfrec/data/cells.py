"""Turns raw cells into the types of the data contract, and tells which were wrong."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.data.table import Table, to_pandas_text
from tfrec.errors import UserError

MISSING_WORDS = ["nan", "na", "n/a", "null", "none"]
TRUE_WORDS = ["true", "t", "yes", "y", "1", "1.0"]
FALSE_WORDS = ["false", "f", "no", "n", "0", "0.0"]

# Above this share of wrong cells the column, not the rows, is the mistake.
TOO_MANY_WRONG = 0.5


def refuse_wrong_column(table: Table, name: str, wrong: np.ndarray, expected: str) -> None:
    """Raises if more than half of the kept rows are `wrong` in column `name`.

    Raises:
        UserError: naming the file, the column and the first offending rows.
    """
    kept = table.kept
    bad = int((wrong & kept).sum())
    if bad > TOO_MANY_WRONG * int(kept.sum()):
        raise UserError(
            f"column `{name}` of {table.label} should hold {expected}, but {bad} of "
            f"{int(kept.sum())} rows do not ({table.first_values(name, wrong & kept)}); mend the "
            "column, or rename it if it is another one"
        )


def texts(table: Table, name: str) -> pd.Series:
    """Returns column `name` as trimmed text; empty is missing.

    Raises:
        UserError: if the column holds lists, objects or booleans.
    """
    try:
        return to_pandas_text(table.columns.column(name))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        everything = np.ones(len(table), dtype=bool)
        raise UserError(
            f"column `{name}` of {table.label} should hold text, but it holds "
            f"{table.columns.column(name).type} ({table.first_values(name, everything)}); give "
            "one string or number a row"
        ) from error


def numbers(table: Table, name: str) -> pd.Series:
    """Returns column `name` as float64, NaN where missing, and rejects rows with wrong cells.

    Raises:
        UserError: if more than half of the rows are wrong.
    """
    column = table.columns.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    everything = np.ones(len(table), dtype=bool)
    if pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_temporal(kind):
        refuse_wrong_column(table, name, everything, "numbers")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values, filled = _numbers_of_text(column)
    else:
        values = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
        filled = ~np.isnan(values)
    wrong = filled & ~np.isfinite(values)
    refuse_wrong_column(table, name, wrong, "numbers")
    table.reject(wrong, f"wrong_type:{name}")
    return pd.Series(np.where(np.isfinite(values), values, np.nan))


def _numbers_of_text(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.or_(
        pc.equal(trimmed, ""),
        pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(MISSING_WORDS, trimmed.type)),
    )
    trimmed = pc.if_else(missing, pa.scalar(None, trimmed.type), trimmed)
    filled = pc.is_valid(trimmed).to_numpy()
    try:
        return trimmed.cast(pa.float64()).to_numpy().astype(np.float64), filled
    except pa.ArrowInvalid:
        read = pd.to_numeric(trimmed.to_pandas(), errors="coerce")
        return read.to_numpy(dtype=np.float64, na_value=np.nan), filled


def flags(table: Table, name: str, *, default: bool) -> pd.Series:
    """Returns column `name` as bool, `default` where missing, and rejects rows with wrong cells.

    Raises:
        UserError: if more than half of the rows are wrong.
    """
    column = table.columns.column(name)
    if pa.types.is_boolean(column.type):
        return pd.Series(pc.fill_null(column, default).to_pandas().astype(bool))
    words = texts(table, name).str.lower()
    true, false = words.isin(TRUE_WORDS), words.isin(FALSE_WORDS)
    missing = words.isna() | words.isin(MISSING_WORDS)
    wrong = ~(true | false | missing).to_numpy(dtype=bool)
    refuse_wrong_column(table, name, wrong, "true or false")
    table.reject(wrong, f"wrong_type:{name}")
    return (true | (missing & default)).astype(bool)


def lists(table: Table, name: str, separator: str | None) -> list[list[str]]:
    """Returns column `name` as one list of category values a row, repeated values dropped.

    Lists are taken as they are (lists of lists are flattened, as Amazon's categories need);
    text is split at `separator`, or is one value if that is None.
    """
    column = table.columns.column(name)
    if pa.types.is_nested(column.type):
        rows = [_flatten(value) for value in column.to_pylist()]
    else:
        values = texts(table, name)
        rows = [
            [] if not isinstance(value, str) else value.split(separator) if separator else [value]
            for value in values
        ]
    return [
        list(dict.fromkeys(part for value in row if (part := " ".join(value.split()))))
        for row in rows
    ]


def _flatten(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [part for inner in value.values() for part in _flatten(inner)]
    if isinstance(value, list | tuple):
        return [part for inner in value for part in _flatten(inner)]
    return [str(value)]


def phrases(table: Table, name: str) -> pd.Series:
    """Returns column `name` as readable text, "" where missing: lists joined with ", "."""
    if pa.types.is_nested(table.columns.column(name).type):
        joined = [", ".join(row) for row in lists(table, name, None)]
        return pd.Series(joined, dtype="str")
    return texts(table, name).fillna("").str.replace(r"\s+", " ", regex=True)
