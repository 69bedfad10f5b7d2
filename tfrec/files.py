"""Files that are either whole or absent: atomic writes, checksums, atomic folders."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfrec.errors import BusyError, UserError

SECONDS_UNTIL_STALE = 3600.0

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_disk_full(error: Exception) -> bool:
    """Whether `error` means that a disk is full, or a quota used up."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # TensorFlow and Arrow have exceptions of their own, with the system's words in them.
    return os.strerror(errno.ENOSPC) in str(error)


@contextlib.contextmanager
def disk_errors_as_user_errors(path: Path) -> Iterator[None]:
    """Turns a full disk or a missing permission while writing `path` into a `UserError`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise UserError(
                f"no space left on the disk while writing {path}; free some space and run the "
                "same command again (nothing half-written was kept)"
            ) from error
        forbidden = isinstance(error, OSError) and error.errno in _FORBIDDEN
        # Not a file elsewhere that the block may have been reading.
        written = Path(os.fsdecode(getattr(error, "filename", None) or path))
        if forbidden and written.is_relative_to(path.parent):
            raise _forbidden(path) from error
        raise


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path` that replaces it when the block ends well.

    A process that is killed leaves a hidden ``.<name>.*.part`` file, which a call an hour later
    removes.

    Raises:
        UserError: if the disk is full or the folder may not be written to.
    """
    path = Path(path)
    with disk_errors_as_user_errors(path):
        _make_way(path, is_right=path.is_file())
        # Another process may be writing the same file just now, so only old leftovers go.
        _remove_leftovers(path, older_than=SECONDS_UNTIL_STALE)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` that takes its place when the block ends well.

    An existing folder `path` is replaced as a whole. A process that is killed leaves only hidden
    ``.<name>.*.part`` folders, which the next call removes; where it was killed while it replaced
    `path`, that call first puts the old folder back. Two processes should not write the same
    folder at once.

    Raises:
        UserError: if `path` is a file, the disk is full or the folder may not be written to.
    """
    path = Path(path)
    with disk_errors_as_user_errors(path):
        _make_way(path, is_right=path.is_dir())
        retired = path.parent / f".{path.name}.retired_.part"
        if retired.is_dir() and not path.exists():
            # The only one that is known to be whole; this block may fail.
            retired.replace(path)
        _remove_leftovers(path, older_than=0.0)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        temporary.chmod(0o755)
        try:
            yield temporary
            if path.exists():
                path.replace(retired)
                temporary.replace(path)
                shutil.rmtree(retired)
            else:
                temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: str | Path) -> None:
    """Makes sure, before long work, that its outcome can be written to the file `path` after it.

    Nothing is made: whether the disk has room shows only when the file is written.

    Raises:
        UserError: if `path` is a folder, lies below a file, or may not be written to.
    """
    path = Path(path)
    with disk_errors_as_user_errors(path):
        _check_way(path, is_right=path.is_file())
        if not os.access(_nearest_folder(path), os.W_OK | os.X_OK):
            raise _forbidden(path)


def _forbidden(path: Path) -> UserError:
    return UserError(f"not allowed to write {path}; choose a folder that you may write to")


def _check_way(path: Path, *, is_right: bool) -> None:
    if path.exists() and not is_right:
        what = "a folder" if path.is_dir() else "a file"
        raise UserError(f"cannot write {path}: it is {what}; choose another path")
    if not _nearest_folder(path).is_dir():
        raise UserError(
            f"cannot write {path}: a folder on the way to it is a file; choose another path"
        )


def _nearest_folder(path: Path) -> Path:
    """Returns what is there of the way to `path`; a file, if one is in the way."""
    return next(folder for folder in path.absolute().parents if folder.exists())


def _make_way(path: Path, *, is_right: bool) -> None:
    """Makes the folder that `path` goes into; `is_right`: what is at `path` may be replaced."""
    _check_way(path, is_right=is_right)
    path.parent.mkdir(parents=True, exist_ok=True)


def _remove_leftovers(path: Path, *, older_than: float) -> None:
    """Removes what a killed process left of `path`, and nothing of its neighbours."""
    # Eight letters, as tempfile makes them: `data` must not match the leftovers of `data.v2`.
    leftover = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}\.part")
    for entry in path.parent.iterdir():
        if not leftover.fullmatch(entry.name):
            continue
        with contextlib.suppress(FileNotFoundError):
            if time.time() - entry.lstat().st_mtime < older_than:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()


@contextlib.contextmanager
def only_one(lock: Path, busy: str) -> Iterator[None]:
    """Holds a lock, which the system lets go of however the process ends.

    Args:
        lock: the file; made with its folder.
        busy: what to say if another process holds it.

    Raises:
        BusyError: if another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(busy) from error
        yield


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` as indented JSON, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, allow_nan=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Reads a JSON file.

    Raises:
        UserError: if the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}); it may be half-copied") from error


def sha256_of_file(path: str | Path) -> str:
    """Returns the hexadecimal SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
