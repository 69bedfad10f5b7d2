"""Rows as they were read, where each came from, and why some were turned away."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tfrec.errors import UserError


@dataclass
class Table:
    """The rows of one or many files, with the verdict on each.

    The first reason given for a row stands: later rules see only rows that are still kept, so
    every row has exactly one reason and the counts add up by construction.

    Attributes:
        raw: the columns as they were read, `n` rows.
        files: names of the files, as written to the rejects.
        file: int32 `[n]`, position in `files` of each row's file.
        row: int64 `[n]`, position of each row in its file, from 0.
        columns: the columns under the names of the data contract; `raw` itself unless an
            adapter derived them.
        user_column: the raw column that holds the user id, if any.
    """

    raw: pa.Table
    files: list[str]
    file: np.ndarray
    row: np.ndarray
    columns: pa.Table = None
    user_column: str | None = None
    reasons: list[str] = field(default_factory=lambda: [""])
    reason: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.columns is None:
            self.columns = self.raw
        if self.reason is None:
            self.reason = np.zeros(self.raw.num_rows, dtype=np.int16)

    def __len__(self) -> int:
        return self.raw.num_rows

    @property
    def label(self) -> str:
        """The files in words, for messages."""
        more = f" and {len(self.files) - 1} more files" if len(self.files) > 1 else ""
        return f"{self.files[0]}{more}"

    @property
    def kept(self) -> np.ndarray:
        """Bool `[n]`: rows without a reason against them."""
        return self.reason == 0

    def reject(self, mask: np.ndarray, reason: str) -> int:
        """Turns away the rows of `mask` (bool `[n]`) that are still kept; returns how many."""
        fresh = mask & self.kept
        count = int(fresh.sum())
        if count:
            if reason not in self.reasons:
                self.reasons.append(reason)
            self.reason[fresh] = self.reasons.index(reason)
        return count

    def reject_rows(self, rows: np.ndarray, reason: str) -> int:
        """Turns away the rows at the positions `rows` (int `[r]`) that are still kept."""
        mask = np.zeros(len(self), dtype=bool)
        mask[rows] = True
        return self.reject(mask, reason)

    def counts(self) -> dict[str, int]:
        """Returns how many rows each reason turned away, most frequent first."""
        totals = np.bincount(self.reason, minlength=len(self.reasons))
        counts = {name: int(totals[i]) for i, name in enumerate(self.reasons) if i and totals[i]}
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def place(self, position: int) -> str:
        """Returns where row `position` came from, such as ``events.csv row 17``."""
        return f"{self.files[self.file[position]]} row {self.row[position]}"

    def examples(self) -> dict[str, str]:
        """Returns where the first row of each reason came from."""
        return {
            reason: self.place(int(np.argmax(self.reason == self.reasons.index(reason))))
            for reason in self.counts()
        }

    def rejected(self, hashed_users: Callable[[np.ndarray], pa.Array] | None = None) -> pa.Table:
        """Returns the rejected rows: source_file, row, reason, and the raw columns as strings.

        Args:
            hashed_users: gives the hashed user ids at row positions; where the raw columns hold
                a user id, these stand in its place, so that no user id is written.
        """
        rows = np.flatnonzero(~self.kept)
        taken = self.raw.take(pa.array(rows))
        columns: dict[str, pa.Array] = {
            "source_file": pa.array(
                np.array(self.files, dtype=object)[self.file[rows]], pa.string()
            ),
            "row": pa.array(self.row[rows], pa.int64()),
            "reason": pa.array(
                np.array(self.reasons, dtype=object)[self.reason[rows]], pa.string()
            ),
        }
        for name in taken.column_names:
            if name == self.user_column and hashed_users is not None:
                column = hashed_users(rows)
            else:
                column = as_strings(taken.column(name))
            columns[name if name not in columns else f"raw_{name}"] = column
        return pa.table(columns)

    def require(self, names: list[str], role: str) -> None:
        """Checks that the contract's columns `names` are there.

        Raises:
            UserError: naming the file, the missing column and the columns that it has.
        """
        for name in names:
            if name not in self.columns.column_names:
                found = ", ".join(f"`{column}`" for column in self.columns.column_names)
                raise UserError(
                    f"{self.label} has no column `{name}`, which {role} need; its columns are "
                    f"{found}. Rename the column that holds it, or choose another data.adapter"
                )

    def first_values(self, name: str, mask: np.ndarray, limit: int = 3) -> str:
        """Returns the first rows of `mask` and their values in column `name`, in words."""
        rows = np.flatnonzero(mask)[:limit]
        values = self.columns.column(name).take(pa.array(rows)).to_pylist()
        # One file is named by the sentence around the rows.
        places = [
            self.place(row) if len(self.files) > 1 else f"row {self.row[row]}" for row in rows
        ]
        return ", ".join(
            f"{place}: {_short(value)}" for place, value in zip(places, values, strict=True)
        )


def as_strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns any Arrow column as strings (lists, structs and bytes as Python prints them)."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([texts], pa.string())


def concatenate(tables: list[pa.Table]) -> pa.Table:
    """Joins tables whose columns may differ; a column of clashing types becomes strings."""
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        types: dict[str, list[pa.DataType]] = {}
        for table in tables:
            for column in table.schema:
                types.setdefault(column.name, []).append(column.type)
        clashing = {name for name, found in types.items() if not _promotable(found)}
        mended = []
        for table in tables:
            for name in clashing & set(table.column_names):
                position = table.column_names.index(name)
                table = table.set_column(position, name, as_strings(table.column(name)))
            mended.append(table)
        return pa.concat_tables(mended, promote_options="permissive")


def _promotable(types: list[pa.DataType]) -> bool:
    empty = [pa.table({"c": pa.array([], kind)}) for kind in types]
    try:
        pa.concat_tables(empty, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return False
    return True


def _short(value: object, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def to_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns a column as trimmed strings; empty strings become null.

    Whole numbers lose the decimal point that a missing value elsewhere in the column gave
    them (17850.0 is customer 17850).

    Raises:
        pa.ArrowInvalid: if the column holds lists, structs, booleans or bytes.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_boolean(kind) or pa.types.is_binary(kind):
        raise pa.ArrowInvalid(f"{kind} is not text")
    if pa.types.is_floating(kind):
        whole = pc.equal(pc.floor(column), column)
        if pc.all(whole, skip_nulls=True).as_py() is not False:
            column = column.cast(pa.int64())
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)


def to_pandas_text(column: pa.ChunkedArray) -> pd.Series:
    """Returns `to_text` of a column as a pandas Series of dtype `str`."""
    return pd.Series(to_text(column).to_pandas(), dtype="str")
