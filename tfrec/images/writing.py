"""Writes a catalogue with its vectors, and what has none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.table import Table
from tfrec.files import atomic_file
from tfrec.images.sources import PictureSource


def write_catalogue(
    table: Table, rows: np.ndarray, vectors: pa.ChunkedArray, out: Path, column: str
) -> None:
    """Writes rows of a catalogue with a column of vectors, as a Parquet file.

    Args:
        table: the catalogue.
        rows: int `[n]`, the rows to write.
        vectors: `[n]` lists of numbers; null for none.
        out: the file.
        column: name of the column; one of that name is replaced.
    """
    # The pictures themselves are of no more use, and as large as all the rest together.
    kept = [
        field.name
        for field in table.columns.schema
        if field.name != column and not _holds_bytes(field.type)
    ]
    catalogue = table.columns.select(kept).take(pa.array(rows))
    with atomic_file(out) as temporary:
        pq.write_table(catalogue.append_column(column, vectors), temporary, compression="zstd")


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_holds_bytes(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def write_rejects(
    table: Table, rows: np.ndarray, pictures: PictureSource, reasons: list[str | None], out: Path
) -> Path | None:
    """Writes which rows have no vector and why, beside `out`; returns the file, or None for none.

    Args:
        table: the catalogue.
        rows: int `[n]`, the rows that were written.
        pictures: their pictures.
        reasons: `[n]`, None where there is a vector.
        out: the catalogue that was written.
    """
    path = out.with_name(f"{out.stem}.rejects.parquet")
    chosen = [place for place, reason in enumerate(reasons) if reason]
    if not chosen:
        # What an earlier command rejected would be taken for this one's.
        path.unlink(missing_ok=True)
        return None
    items = table.columns.column("item_id").take(pa.array(rows[chosen])).to_pylist()
    frame = pd.DataFrame(
        {
            "item_id": pd.Series(
                [None if item is None else str(item) for item in items], dtype="str"
            ),
            "picture": pd.Series(
                [pictures.name(int(rows[place])) for place in chosen], dtype="str"
            ),
            "reason": pd.Series([reasons[place] for place in chosen], dtype="str"),
        }
    )
    with atomic_file(path) as temporary:
        frame.to_parquet(temporary, index=False)
    return path
