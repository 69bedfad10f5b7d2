"""Reads JSON Lines files, one object a row."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tfrec.data.parts import Part, check_number_of_columns
from tfrec.data.table import concatenate
from tfrec.errors import UserError
from tfrec.progress import progress

JSON_BLOCK_LINES = 100_000

# The column that shows, among the rejects, a line that is no JSON object.
UNREADABLE = "unreadable"


def read_json_lines(
    path: Path, *, columns: list[str] | None = None, parse: Callable[[str], Any] = json.loads
) -> Part:
    """Reads a file with one JSON object a line; blank lines do not count as rows.

    A line that is not an object is rejected as ``unreadable_row``.

    Args:
        path: the file; decompressed if its name ends in ``.gz``.
        columns: the keys to keep; by default all.
        parse: turns a line into a dict, or raises `ValueError`.
    """
    tables: list[pa.Table] = []
    rejected: list[tuple[int, str]] = []
    count = 0
    with progress(description=f"reading {path.name}", unit="row") as bar:
        for block in _line_blocks(path):
            records: list[dict[str, Any]] = []
            for line in block:
                try:
                    record = parse(line)
                except (ValueError, SyntaxError, RecursionError):
                    record = None
                if not isinstance(record, dict):
                    rejected.append((count + len(records), "unreadable_row"))
                    record = {UNREADABLE: line.rstrip("\n")}
                elif columns is not None:
                    record = {name: record[name] for name in columns if name in record}
                records.append(record)
            names = list(dict.fromkeys(name for record in records for name in record))
            check_number_of_columns(path, len(names))
            table, wrong = _table_of_records(records, names)
            rejected.extend((count + row, reason) for row, reason in wrong)
            tables.append(table)
            count += len(records)
            bar.update(len(records))
    unreadable = sum(reason == "unreadable_row" for _, reason in rejected)
    if unreadable * 2 > count:
        raise UserError(
            f"{path} should hold one JSON object a line, but {unreadable} of {count} lines are "
            f"none, the first at row {rejected[0][0]}; convert it, for example with `jq -c '.[]'`"
        )
    if not tables:
        return pa.table({}), np.arange(0), []
    return concatenate(tables), np.arange(count), rejected


def _line_blocks(path: Path) -> Iterator[list[str]]:
    with (
        pa.input_stream(str(path), compression="detect") as stream,
        io.TextIOWrapper(stream, encoding="utf-8-sig") as lines,
    ):
        block: list[str] = []
        for line in lines:
            if line.strip():
                block.append(line)
            if len(block) == JSON_BLOCK_LINES:
                yield block
                block = []
        if block:
            yield block


def _table_of_records(
    records: list[dict[str, Any]], names: list[str]
) -> tuple[pa.Table, list[tuple[int, str]]]:
    columns: dict[str, pa.Array] = {}
    wrong: list[tuple[int, str]] = []
    for name in names:
        values = [record.get(name) for record in records]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            columns[name], odd = _mixed_column(values)
            wrong.extend((row, f"wrong_type:{name}") for row in odd)
    return pa.table(columns), wrong


def _mixed_column(values: list[Any]) -> tuple[pa.Array, list[int]]:
    # Numbers among strings are read as strings. An object or list among scalars can mean
    # nothing, so its row is rejected; where lists are the rule, the scalars are wrong instead.
    # Python writes a missing number as NaN, which is no JSON but common.
    values = [None if value != value else value for value in values]
    nested = [isinstance(value, dict | list) for value in values]
    filled = sum(value is not None for value in values)
    if sum(nested) * 2 > filled:
        try:
            column = pa.array(
                [value if odd else None for value, odd in zip(values, nested, strict=True)]
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            column = pa.array([None if value is None else json.dumps(value) for value in values])
            return column, []
        wrong = [i for i, value in enumerate(values) if value is not None and not nested[i]]
        return column, wrong
    texts = [
        value if value is None or isinstance(value, str) else json.dumps(value) for value in values
    ]
    return pa.array(texts, pa.string()), [i for i, odd in enumerate(nested) if odd]
