"""Statistics of columns, for the manifest."""

import numpy as np
import pandas as pd

from tfrec.data.manifest import ColumnStatistics


def column_statistics(frame: pd.DataFrame) -> dict[str, ColumnStatistics]:
    """Returns what each column holds; lists count by their lengths."""
    return {str(name): _describe(frame[name]) for name in frame.columns}


def _describe(column: pd.Series) -> ColumnStatistics:
    if pd.api.types.is_bool_dtype(column.dtype):
        return _numeric("flag", column.astype(float))
    if pd.api.types.is_numeric_dtype(column.dtype):
        return _numeric("number", column)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        seconds = column.astype("datetime64[s]").astype("int64").where(column.notna())
        return _numeric("timestamp", seconds)
    if isinstance(column.dtype, pd.StringDtype):
        filled = column[column.notna() & (column != "")]
        lengths = filled.str.len()
        return _summary("text", len(column) - len(filled), filled.nunique(), lengths)
    lengths = column.map(lambda value: 0 if value is None else len(value))
    return _summary("list", int((lengths == 0).sum()), lengths.nunique(), lengths)


def _numeric(kind: str, column: pd.Series) -> ColumnStatistics:
    return _summary(kind, int(column.isna().sum()), column.nunique(), column.dropna())


def _summary(kind: str, missing: int, distinct: int, values: pd.Series) -> ColumnStatistics:
    numbers = values.to_numpy(dtype=np.float64)
    some = numbers.size > 0
    return ColumnStatistics(
        kind=kind,
        missing=missing,
        distinct=int(distinct),
        minimum=float(numbers.min()) if some else None,
        mean=float(numbers.mean()) if some else None,
        maximum=float(numbers.max()) if some else None,
    )
