"""Reads CSV, Parquet and JSON Lines files, one or a glob, into a `Table`."""

import contextlib
import csv
import glob as globbing
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.csv_reader import read_csv
from tfrec.data.json_reader import read_json_lines
from tfrec.data.parts import Part, check_number_of_columns
from tfrec.data.table import Table, concatenate
from tfrec.errors import UserError
from tfrec.progress import progress


def resolve(source: str | Path, role: str) -> list[Path]:
    """Returns the files that a path or a glob names, sorted.

    Raises:
        UserError: if there are none, or the path is a folder.
    """
    text = os.path.expanduser(str(source))
    if os.path.isdir(text):
        raise UserError(
            f"{text} is a folder; give the {role} as a file or a glob such as "
            f"{os.path.join(text, '*.parquet')}"
        )
    if os.path.exists(text):
        return [Path(text)]
    found = sorted(Path(name) for name in globbing.glob(text, recursive=True))
    found = [path for path in found if path.is_file()]
    if not found:
        raise UserError(f"there is no file {text}; check the path or glob of the {role}")
    return found


def read_table(
    source: str | Path,
    role: str,
    *,
    user_column: str | None = None,
    reader: Callable[[Path], Part] | None = None,
) -> Table:
    """Reads one file or a glob of files.

    Args:
        source: a path, or a glob such as ``logs/2024-*.csv.gz``.
        role: what the rows are ("events", "items"), for messages.
        user_column: the column that holds the user id.
        reader: reads one file; chosen by the file's name if not given.

    Raises:
        UserError: if a file is missing, empty, of an unknown kind or unreadable.
    """
    paths = resolve(source, role)
    parts = []
    shown = progress(paths, description=f"reading {role}", unit="file") if len(paths) > 1 else paths
    for path in shown:
        with _read_errors(path):
            if path.stat().st_size == 0:
                raise UserError(f"{path} is empty; the {role} need a file with rows")
            table, rows, rejected = (reader or reader_for(path))(path)
        if table.num_rows == 0:
            raise UserError(f"{path} has no rows; the {role} need at least one")
        parts.append((table, rows, rejected))
    return _join(paths, parts, user_column)


def reader_for(path: Path) -> Callable[[Path], Part]:
    """Returns the reader for a file's name.

    Raises:
        UserError: if the name ends in nothing known.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return read_parquet
    if name.endswith((".csv", ".tsv")):
        return read_csv
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return read_json_lines
    raise UserError(
        f"{path} is of an unknown kind; give .csv, .tsv, .parquet, .jsonl, .ndjson or .json "
        "(one object a line), the text ones also with .gz"
    )


def read_parquet(path: Path) -> Part:
    """Reads a Parquet file."""
    file = pq.ParquetFile(path)
    check_number_of_columns(path, file.metadata.num_columns)
    table = file.read()
    return table, np.arange(table.num_rows), []


def _join(
    paths: list[Path],
    parts: list[Part],
    user_column: str | None,
) -> Table:
    sizes = [table.num_rows for table, _, _ in parts]
    raw = concatenate([table for table, _, _ in parts]) if len(parts) > 1 else parts[0][0]
    table = Table(
        raw=raw,
        files=file_names(paths),
        file=np.repeat(np.arange(len(parts), dtype=np.int32), sizes),
        row=np.concatenate([rows for _, rows, _ in parts]).astype(np.int64),
        user_column=user_column,
    )
    starts = np.concatenate([[0], np.cumsum(sizes)])
    by_reason: dict[str, list[int]] = {}
    for start, (_, _, rejected) in zip(starts, parts, strict=False):
        for row, reason in rejected:
            by_reason.setdefault(reason, []).append(int(start) + row)
    for reason, rows in by_reason.items():
        table.reject_rows(np.array(rows), reason)
    return table


def file_names(paths: list[Path]) -> list[str]:
    """Returns short names that tell `paths` apart, the same on every machine."""
    if len({path.name for path in paths}) == len(paths):
        return [path.name for path in paths]
    parent = os.path.commonpath([path.parent for path in paths])
    return [os.path.relpath(path, parent) for path in paths]


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Turns what the parsers raise on a bad file into a `UserError` that names the file."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OSError, EOFError, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
            raise UserError(
                f"{path} is not UTF-8 text; convert it, for example with `iconv -f latin1 -t utf-8`"
            ) from error
        if isinstance(error, PermissionError):
            raise UserError(
                f"not allowed to read {path}; change its permissions, or copy it"
            ) from error
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(
            f"{path} is not readable as {_kind(path)} ({reason}); it may be half-copied or of "
            "another kind"
        ) from error


def _kind(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        return "Parquet"
    if name.endswith((".jsonl", ".ndjson", ".json")):
        return "JSON Lines"
    if name.endswith((".xlsx", ".xls")):
        return "a spreadsheet"
    return "CSV"
