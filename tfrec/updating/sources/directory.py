"""Events in a folder: files that appear whole, and JSON lines that are appended to."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tfrec.errors import UserError
from tfrec.updating.sources.source import LINES, Piece, Position, Source

APPENDED = (LINES, ".ndjson")
WHOLE = tuple(
    f"{kind}{packed}"
    for kind, packings in {
        ".parquet": ("",),
        ".csv": ("", ".gz"),
        ".tsv": ("", ".gz"),
        ".json": ("", ".gz"),
        LINES: (".gz",),
        ".ndjson": (".gz",),
    }.items()
    for packed in packings
)
HIDDEN = (".", "_")
BLOCK_BYTES = 1 << 22


class DirectorySource(Source):
    """The files of one folder, in the order of their names; folders in it are not looked into.

    A ``.jsonl`` or ``.ndjson`` file may be appended to; it is read up to its last whole line.
    Every other kind is taken whole, so it has to appear whole: written under a name that begins
    with a dot, and renamed. Positions are bytes.

    Args:
        folder: the folder.

    Raises:
        UserError: if it is none.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).expanduser().resolve()
        self.name = f"folder {self._folder}"
        if not self._folder.is_dir():
            raise UserError(
                f"{folder} is no folder to follow; make it, or name a topic as "
                "kafka://HOST:PORT/TOPIC"
            )

    def read(self, position: Position, most: int, wait: float) -> Piece | None:
        """Returns the next lines, or the next whole file; see `Source.read`."""
        files = list(self._files())
        # What was deleted leaves the position, which would otherwise only grow.
        names = {path.name for path, _ in files}
        position = {name: done for name, done in position.items() if name in names}
        for path, size in files:
            done = position.get(path.name, 0)
            if size == done:
                continue
            if path.suffix in APPENDED:
                piece = self._lines(path, size, position, most)
            else:
                piece = self._whole(path, size, position)
            if piece is not None:
                return piece
        time.sleep(wait)
        return None

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Yields the files that hold events, and their sizes."""
        try:
            for path in sorted(self._folder.iterdir()):
                name = path.name.lower()
                holds_events = not name.startswith(HIDDEN) and name.endswith(APPENDED + WHOLE)
                if holds_events and path.is_file():
                    yield path, path.stat().st_size
        except OSError as error:
            raise UserError(
                f"the folder {self._folder} cannot be followed ({error.strerror}); see that it is "
                "there and may be read"
            ) from error

    def _lines(self, path: Path, size: int, position: Position, most: int) -> Piece | None:
        done = position.get(path.name, 0)
        if size < done:
            raise UserError(
                f"{path} has {size:,} bytes, but {done:,} were read of it; files that are followed "
                "may only grow, so put it back, or give what is new another name"
            )
        lines: list[bytes] = []
        taken = done
        try:
            with path.open("rb") as file:
                file.seek(done)
                # A line without an end may still be written, unless it is an object already.
                while len(lines) < most and (line := file.readline()):
                    if not line.endswith(b"\n") and not _is_object(line):
                        break
                    taken += len(line)
                    if line.strip():
                        lines.append(line.rstrip(b"\r\n") + b"\n")
                    if taken - done > BLOCK_BYTES:
                        break
        except OSError as error:
            raise _unreadable(path, error) from error
        if taken == done:
            return None
        return Piece({**position, path.name: taken}, len(lines), lines=b"".join(lines))

    def _whole(self, path: Path, size: int, position: Position) -> Piece:
        if path.name in position:
            raise UserError(
                f"{path} was taken in, and has changed since; give what is new another name"
            )
        try:
            events = _rows(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        kind = next(kind for kind in WHOLE if path.name.lower().endswith(kind))
        return Piece({**position, path.name: size}, events, kind=kind, path=path)


def _is_object(line: bytes) -> bool:
    """Whether a line is a JSON object; the beginning of a longer one never is."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _rows(path: Path) -> int:
    """Returns about how many rows a whole file has."""
    if path.suffix == ".parquet":
        try:
            return int(pq.read_metadata(path).num_rows)
        except pa.ArrowException:
            return 1  # Whoever reads it says what is wrong with it.
    with path.open("rb") as file:
        return max(1, sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")))


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be read ({error.strerror}); change its permissions, or take it away"
    )
