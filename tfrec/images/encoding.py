"""Encodes the pictures of a catalogue, in parts that survive a kill."""

import contextlib
import hashlib
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.data.table import Table
from tfrec.errors import UserError
from tfrec.files import atomic_file, only_one, read_json, write_json
from tfrec.images.decoding import SMALLEST_SIDE, UnusablePictureError, decode
from tfrec.images.sources import PictureSource
from tfrec.images.writing import write_catalogue, write_rejects
from tfrec.progress import ProgressBar, progress

PART_ROWS = 512
"""Rows whose vectors a killed command may lose."""
BATCH = 32
_THREADS = 4
_PLAN = "plan.json"
NO_VECTOR = "no_finite_vector"

Encode = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Encoding:
    """How pictures are encoded.

    Attributes:
        encode: uint8 `[batch, size, size, 3]` to float32 `[batch, dimension]`.
        size: width and height of the model's pictures.
        fingerprint: changes with whatever changes the model's vectors.
        smallest_side: fewest pixels of a usable picture's shorter side.
    """

    encode: Encode
    size: int
    fingerprint: str
    smallest_side: int = SMALLEST_SIDE


@dataclass(frozen=True)
class Encoded:
    """What was made of a catalogue's pictures.

    Attributes:
        rows: rows of the catalogue.
        unreadable: rows of its files that are no rows of a catalogue; they are left out.
        vectors: rows with a vector.
        dimension: size of the vectors.
        rejected: rows without a vector by reason.
        resumed: rows that an earlier, killed command had done.
        rejects: file with the rows without one, or None where there are none.
    """

    rows: int
    unreadable: int
    vectors: int
    dimension: int
    rejected: dict[str, int]
    resumed: int
    rejects: Path | None


def encode_catalogue(
    table: Table, pictures: PictureSource, encoding: Encoding, out: Path, column: str
) -> Encoded:
    """Writes the catalogue with a column of vectors, as a Parquet file.

    A row without a usable picture has no vector, and stands in `<out>.rejects.parquet` with its
    reason. Both files appear when everything is encoded; until then, parts lie in a hidden folder
    beside `out`, where a command that was killed finds them again.

    Args:
        table: the catalogue.
        pictures: the picture of each row.
        encoding: how to encode.
        out: the file to write.
        column: name of the column of vectors.

    Raises:
        UserError: if no picture can be used, another command writes the same file, or it cannot
            be written.
    """
    rows = np.flatnonzero(table.kept)
    folder = out.parent / f".{out.name}.parts"
    busy = f"another command is writing {out}; wait for it or choose another --out"
    lock = folder.with_name(f"{folder.name}.lock")
    with only_one(lock, busy):
        _start(folder, rows, pictures, encoding)
        resumed = _encode_parts(folder, rows, pictures, encoding)
        parts = [pq.read_table(_part(folder, start)) for start in range(0, len(rows), PART_ROWS)]
        encoded = pa.concat_tables(parts)
        vectors, reasons = encoded.column("vector"), encoded.column("reason").to_pylist()
        counts = dict(Counter(reason for reason in reasons if reason).most_common())
        if len(vectors) == vectors.null_count:
            told = ", ".join(f"{reason} {count}" for reason, count in counts.items())
            shutil.rmtree(folder)
            raise UserError(
                f"none of the {len(rows)} items of {table.label} has a usable picture ({told}); "
                "files of a folder are named by item id, and a column holds their paths"
            )
        write_catalogue(table, rows, vectors, out, column)
        rejects = write_rejects(table, rows, pictures, reasons, out)
        shutil.rmtree(folder)
        lock.unlink()
    dimension = next(len(vector) for vector in vectors if vector.is_valid)
    return Encoded(
        rows=len(rows),
        unreadable=len(table) - len(rows),
        vectors=len(vectors) - vectors.null_count,
        dimension=dimension,
        rejected=counts,
        resumed=resumed,
        rejects=rejects,
    )


def _start(folder: Path, rows: np.ndarray, pictures: PictureSource, encoding: Encoding) -> None:
    """Keeps the parts of an equal command before, or begins anew.

    Parts are of use only while items, pictures, model and settings are what they were.
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row} {pictures.stamp(int(row))}\n".encode())
    plan = {
        "pictures": digest.hexdigest(),
        "model": encoding.fingerprint,
        "smallest_side": encoding.smallest_side,
        "part_rows": PART_ROWS,
    }
    with contextlib.suppress(UserError):
        if read_json(folder / _PLAN) == plan:
            return
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / _PLAN, plan)


def _part(folder: Path, start: int) -> Path:
    return folder / f"{start:09}.parquet"


def _encode_parts(
    folder: Path, rows: np.ndarray, pictures: PictureSource, encoding: Encoding
) -> int:
    """Encodes the parts that are not there yet; returns how many rows were there."""
    starts = [
        start for start in range(0, len(rows), PART_ROWS) if not _part(folder, start).is_file()
    ]
    done = len(rows) - sum(min(PART_ROWS, len(rows) - start) for start in starts)
    with (
        progress(description="Encoding pictures", total=len(rows), unit="picture") as bar,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        bar.update(done)
        # What was done before took no time, and would make the rest look faster than it is.
        bar.initial = done
        for start in starts:
            some = rows[start : start + PART_ROWS]
            outcomes = _decoded(some, pictures, encoding, threads)
            part = _encode_part(outcomes, len(some), encoding, bar)
            with atomic_file(_part(folder, start)) as temporary:
                pq.write_table(part, temporary)
    return done


def _encode_part(
    outcomes: Iterable[np.ndarray | str], count: int, encoding: Encoding, bar: ProgressBar
) -> pa.Table:
    """Returns `vector` and `reason` of `count` pictures, encoded in batches as they are decoded."""
    vectors: list[np.ndarray | None] = [None] * count
    reasons: list[str | None] = [None] * count
    batch: list[tuple[int, np.ndarray]] = []
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, str):
            reasons[place] = outcome
        else:
            batch.append((place, outcome))
        if batch and (len(batch) == BATCH or place == count - 1):
            found = encoding.encode(np.stack([pixels for _, pixels in batch]))
            for (at, _), vector in zip(batch, found, strict=True):
                usable = np.isfinite(vector).all() and vector.any()
                vectors[at], reasons[at] = (vector, None) if usable else (None, NO_VECTOR)
            batch = []
        bar.update()
    return pa.table(
        {
            "vector": pa.array(vectors, pa.list_(pa.float32())),
            "reason": pa.array(reasons, pa.string()),
        }
    )


def _decoded(
    rows: np.ndarray, pictures: PictureSource, encoding: Encoding, threads: ThreadPoolExecutor
) -> Iterator[np.ndarray | str]:
    """Yields the pixels of each row's picture or why there are none, a few batches ahead."""

    def outcome(row: int) -> np.ndarray | str:
        try:
            return decode(pictures.read(row), encoding.size, encoding.smallest_side)
        except UnusablePictureError as error:
            return error.reason

    waiting: deque[Future[np.ndarray | str]] = deque()
    for row in rows:
        waiting.append(threads.submit(outcome, int(row)))
        if len(waiting) > 2 * BATCH:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
