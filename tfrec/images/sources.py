"""Where the picture of each row of a catalogue is."""

import abc
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfrec.data.cells import texts
from tfrec.data.table import Table
from tfrec.errors import UserError
from tfrec.images.decoding import TOO_LARGE, UnusablePictureError

NO_PICTURE, MISSING, UNREADABLE = "no_picture", "missing_file", "unreadable_file"
WEB_ADDRESS = "web_address"
MOST_BYTES = 64 * 2**20
# In this order where an item has several.
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")


class PictureSource(abc.ABC):
    """The pictures of the rows of a catalogue, by position."""

    @abc.abstractmethod
    def name(self, row: int) -> str:
        """Returns what to call the picture of `row` in messages; "" for none."""

    @abc.abstractmethod
    def stamp(self, row: int) -> str:
        """Returns a short text that changes when the picture of `row` does."""

    @abc.abstractmethod
    def read(self, row: int) -> bytes:
        """Returns the content of the picture of `row`.

        Raises:
            UnusablePictureError: if there is none, or it cannot be read.
        """


class PictureFiles(PictureSource):
    """Pictures that are files.

    Args:
        paths: the file of each row, or None.
    """

    def __init__(self, paths: Sequence[Path | str | None]) -> None:
        self._paths = paths

    def name(self, row: int) -> str:
        """Returns the path; "" for none."""
        return str(self._paths[row] or "")

    def stamp(self, row: int) -> str:
        """Returns size and time of change of the file."""
        path = self._paths[row]
        try:
            state = Path(path).stat() if path and not _is_web_address(path) else None
        except (OSError, ValueError):
            state = None
        return f"{path} {state.st_size} {state.st_mtime_ns}" if state else f"{path}"

    def read(self, row: int) -> bytes:
        """Returns the content of the file."""
        path = self._paths[row]
        if path is None:
            raise UnusablePictureError(NO_PICTURE)
        if _is_web_address(path):
            raise UnusablePictureError(WEB_ADDRESS)
        try:
            if Path(path).stat().st_size > MOST_BYTES:
                raise UnusablePictureError(TOO_LARGE)
            return Path(path).read_bytes()
        except FileNotFoundError as error:
            raise UnusablePictureError(MISSING) from error
        except (OSError, ValueError) as error:
            raise UnusablePictureError(UNREADABLE) from error


class PictureBytes(PictureSource):
    """Pictures that the catalogue itself holds.

    Args:
        contents: the content of each row's picture, or null.
        column: the name of their column.
    """

    def __init__(self, contents: pa.ChunkedArray, column: str) -> None:
        self._contents = contents
        self._column = column

    def name(self, row: int) -> str:
        """Returns the name of the column; "" for none."""
        return self._column if self._content(row) else ""

    def stamp(self, row: int) -> str:
        """Returns a checksum of the content."""
        content = self._content(row) or b""
        return f"{len(content)} {zlib.crc32(content)}"

    def read(self, row: int) -> bytes:
        """Returns the content."""
        content = self._content(row)
        if content is None:
            raise UnusablePictureError(NO_PICTURE)
        return content

    def _content(self, row: int) -> bytes | None:
        # One at a time: all of them as Python objects would fill the memory a second time.
        content: bytes | None = self._contents[row].as_py()
        return content


def find_pictures(table: Table, images: str, beside: Path) -> PictureSource:
    """Returns the pictures of a catalogue's rows.

    Args:
        table: the catalogue.
        images: a folder with files named by item id, or a column with paths of files or with the
            pictures themselves.
        beside: the folder that paths of a column start at.

    Raises:
        UserError: if `images` is neither, or the column holds something else.
    """
    names = table.columns.column_names
    if Path(images).is_dir():
        return PictureFiles(_files_by_item(table, Path(images)))
    if images not in names:
        raise UserError(
            f"{images} is neither a folder nor a column of {table.label}; its columns are "
            f"{', '.join(names)}"
        )
    column = table.columns.column(images)
    if pa.types.is_struct(column.type):
        # Data sets of the web often hold {bytes, path}.
        fields = {field.name for field in column.type}
        if "bytes" in fields:
            column = pa.chunked_array([chunk.field("bytes") for chunk in column.chunks])
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return PictureBytes(column, images)
    paths = texts(table, images)
    return PictureFiles([_from(beside, path) for path in paths])


def _from(folder: Path, path: Any) -> Path | str | None:
    if not isinstance(path, str):
        return None
    return path if _is_web_address(path) else folder / path


def _is_web_address(path: Path | str) -> bool:
    return isinstance(path, str) and path.lower().startswith(("http://", "https://"))


def _files_by_item(table: Table, folder: Path) -> list[Path | None]:
    """Returns the file of each row in a folder; item ids never become parts of a path."""
    found: dict[str, Path] = {}
    files = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS]
    if not files:
        raise UserError(
            f"{folder} holds no picture ({', '.join(ENDINGS)}); give the folder with files that "
            "are named by item id, such as 85123A.jpg"
        )
    for path in sorted(files, key=lambda path: (ENDINGS.index(path.suffix.lower()), path.name)):
        found.setdefault(path.stem, path)
    return [found.get(item) if isinstance(item, str) else None for item in texts(table, "item_id")]
