"""Reads CSV, Parquet and JSON Lines files, one or a glob, into a `Table`."""

import contextlib
import csv
import glob as globbing
import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from tfrec.data.table import Table, concatenate
from tfrec.errors import UserError
from tfrec.progress import progress

# One file's content: its columns, the position of each row in the file, and the reason why the
# reader itself turned a row away ("" if it did not).
Part = tuple[pa.Table, np.ndarray, list[tuple[int, str]]]

CSV_BLOCK_BYTES = 1 << 24
JSON_BLOCK_LINES = 100_000
MOST_COLUMNS = 10_000

# The column that shows, among the rejects, a line that is no JSON object.
UNREADABLE = "unreadable"


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
    _check_number_of_columns(path, file.metadata.num_columns)
    table = file.read()
    return table, np.arange(table.num_rows), []


def read_csv(
    path: Path,
    *,
    delimiter: str | None = None,
    names: list[str] | None = None,
    encoding: str = "utf-8",
    quoted: bool = True,
) -> Part:
    """Reads a CSV file with every column as strings, so that no cell is lost to a wrong type.

    Args:
        path: the file; decompressed if its name ends in ``.gz``.
        delimiter: of one or more characters; by default the one of ``, ; tab |`` that the
            header holds most often.
        names: the column names of a file without a header.
        encoding: of the text.
        quoted: whether cells may be in double quotes.
    """
    first = _first_line(path, encoding)
    if not first.strip():
        raise UserError(f"{path} is empty or begins with an empty line; it needs a header and rows")
    delimiter = delimiter or max(",;\t|", key=first.count)
    has_header = names is None
    names = names or next(csv.reader([first], delimiter=delimiter))
    names = [name.strip() for name in names]
    _check_number_of_columns(path, len(names))
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(f"{path} has the column `{min(repeated)}` more than once; rename one")
    invalid: list[tuple[int, str]] = []

    def keep_invalid(row: Any) -> str:
        invalid.append((int(row.number), row.text))
        return "skip"

    with _one_character_delimiter(path, delimiter) as (stream, delimiter):
        table = pacsv.read_csv(
            stream,
            # One thread, because only then does pyarrow say which row was invalid.
            read_options=pacsv.ReadOptions(
                column_names=names,
                skip_rows=int(has_header),
                encoding=encoding,
                use_threads=False,
                block_size=CSV_BLOCK_BYTES,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
                invalid_row_handler=keep_invalid,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    if len(invalid) > table.num_rows:
        raise UserError(
            f"{path} has {len(names)} columns in its first line, but {len(invalid)} of "
            f"{len(invalid) + table.num_rows} rows have another number of cells, such as "
            f"{invalid[0][1][:80]!r}; check the delimiter"
        )
    if not invalid:
        return table, np.arange(table.num_rows), []
    return _put_back(table, invalid, first_row=1 + int(has_header))


def _check_number_of_columns(path: Path, count: int) -> None:
    if count > MOST_COLUMNS:
        raise UserError(
            f"{path} has {count:,} columns, more than the {MOST_COLUMNS:,} that a log or a "
            "catalogue may have; is it a table with one row a line, and its first line the header?"
        )


@contextlib.contextmanager
def _one_character_delimiter(path: Path, delimiter: str) -> Iterator[tuple[Any, str]]:
    # pyarrow splits at single characters only; the unit separator is made for the others.
    with pa.input_stream(str(path), compression="detect") as stream:
        if len(delimiter) == 1:
            yield stream, delimiter
        else:
            yield pa.BufferReader(stream.read().replace(delimiter.encode(), b"\x1f")), "\x1f"


def _put_back(table: pa.Table, invalid: list[tuple[int, str]], first_row: int) -> Part:
    # Rows with too few or too many cells come back at their places with their text in the
    # first column, so that they are counted and shown like every other rejected row.
    total = table.num_rows + len(invalid)
    places = np.array([number - first_row for number, _ in invalid], dtype=np.int64)
    good = np.setdiff1d(np.arange(total), places)
    texts = pa.array([text for _, text in invalid], pa.string())
    nothing = pa.nulls(len(invalid), pa.string())
    names = table.column_names
    extra = pa.table({name: texts if i == 0 else nothing for i, name in enumerate(names)})
    order = np.argsort(np.concatenate([good, places]), kind="stable")
    table = pa.concat_tables([table, extra]).take(pa.array(order))
    return table, np.arange(total), [(int(place), "wrong_columns") for place in places]


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
            _check_number_of_columns(path, len(names))
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


def _first_line(path: Path, encoding: str) -> str:
    with (
        pa.input_stream(str(path), compression="detect") as stream,
        io.TextIOWrapper(
            stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding
        ) as lines,
    ):
        return lines.readline().rstrip("\r\n")


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
