"""Reads CSV files, every cell as a string."""

import contextlib
import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from tfrec.data.parts import Part, check_number_of_columns
from tfrec.errors import UserError

CSV_BLOCK_BYTES = 1 << 24


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
    check_number_of_columns(path, len(names))
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


def _first_line(path: Path, encoding: str) -> str:
    with (
        pa.input_stream(str(path), compression="detect") as stream,
        io.TextIOWrapper(
            stream, encoding="utf-8-sig" if encoding == "utf-8" else encoding
        ) as lines,
    ):
        return lines.readline().rstrip("\r\n")
