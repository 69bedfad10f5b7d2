"""Portraits in a Parquet file, a row a shopper, from which one can be erased."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.errors import UserError
from tfrec.files import atomic_file

USER = "user"


def write_portraits(path: Path, portraits: pd.DataFrame) -> None:
    """Writes portraits, the whole file or nothing."""
    table = pa.Table.from_pandas(portraits, preserve_index=False)
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def erase_portrait(path: Path, user: str) -> int:
    """Takes a shopper out of a file; returns how many rows that were.

    Args:
        path: the file.
        user: the shopper's hash, as the history store and the event log have it.

    Raises:
        UserError: if there are no portraits in the file.
    """
    try:
        table = pq.read_table(path)
        users = table.column(USER).to_pylist()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(
            f"{path} holds no portraits; name the file that `tfrec profile --out` wrote"
        ) from error
    kept = [place for place, name in enumerate(users) if name != user]
    if len(kept) < len(users):
        with atomic_file(path) as temporary:
            pq.write_table(table.take(kept), temporary, compression="zstd")
    return len(users) - len(kept)
