"""An append-only log of what was recommended and what came of it: JSON Lines in segments.

The format is in docs/gateway.md. Several gateways on one machine may write to one folder, each to
segments of its own; erasing a shopper rewrites the segments of all.
"""

import contextlib
import fcntl
import json
import math
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FORMAT = 1
PATTERN = "events-*.jsonl"
LOCK = ".lock"
MEGABYTE = 1 << 20
SEGMENT_SECONDS = 86_400.0
# Quotes within a text are escaped, so that no text can look like this.
USER = re.compile(rb'"user":"([^"\\]*)"')


class EventLog:
    """The log in one folder. Safe to share between threads."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = 64 * MEGABYTE,
        segment_seconds: float = SEGMENT_SECONDS,
        total_bytes: int = 1024 * MEGABYTE,
    ) -> None:
        """Prepares the log; the first line makes a segment.

        Args:
            folder: where the segments lie; made if it is missing.
            segment_bytes: size after which a new segment begins.
            segment_seconds: age after which a new segment begins.
            total_bytes: the oldest segments are deleted while all are larger than this.

        Raises:
            OSError: if the folder cannot be written to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._total_bytes = total_bytes
        self._lock = threading.Lock()
        self._lock_file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o640)
        self._segment: Path | None = None
        self._file = -1
        self._began = 0.0
        self._last_received = 0.0

    def close(self) -> None:
        """Closes the segment; what was written is in it."""
        with self._lock:
            self._close_segment()
            os.close(self._lock_file)

    def write(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Appends lines, all or none; adds ``format`` and ``received`` to each.

        Raises:
            OSError: if the disk is full or fails; the segment is as it was before.
        """
        with self._locked(fcntl.LOCK_SH):
            now = time.time()
            self._last_received = max(self._last_received, round(now, 3))
            stamp = {"format": FORMAT, "received": self._last_received}
            content = "".join(_encoded({**stamp, **line}) for line in lines).encode()
            self._open_segment(now, len(content))
            before = os.fstat(self._file).st_size
            try:
                _write_all(self._file, content)
            except OSError:
                os.ftruncate(self._file, before)
                raise

    def erase(self, user: str, before: float = math.inf) -> int:
        """Removes the lines of a shopper from every segment; returns how many.

        Args:
            user: the shopper's hash.
            before: lines received later than this, in unix seconds, stay.

        Raises:
            OSError: if a segment cannot be rewritten; call it again then.
        """
        return self.erase_all({user: before})

    def erase_all(self, users: Mapping[str, float]) -> int:
        """Removes the lines of several shoppers, and reads each segment once; returns how many.

        Args:
            users: by a shopper's hash the time, in unix seconds, after which lines stay.

        Raises:
            OSError: as `erase`.
        """
        moments = {user.encode(): moment for user, moment in users.items()}

        def is_theirs(line: bytes) -> bool:
            theirs = [moments[user] for user in USER.findall(line) if user in moments]
            return bool(theirs) and _received(line) <= max(theirs)

        # Who writes just now ends first: what is written later, into whichever segment, is newer.
        with self._locked(fcntl.LOCK_EX):
            segments = self.segments()
        return sum(self._erase_from(segment, is_theirs) for segment in segments)

    def segments(self) -> list[Path]:
        """Returns the segments, oldest first."""
        return sorted(self._folder.glob(PATTERN))

    def _erase_from(self, segment: Path, is_theirs: Callable[[bytes], bool]) -> int:
        # Most segments hold nothing of a shopper: for those no writer has to wait.
        if not any(map(is_theirs, _lines(segment))):
            return 0
        # One segment at a time, so that writers wait for one only.
        with self._locked(fcntl.LOCK_EX):
            # Once more, with the lines that came since.
            lines = list(_lines(segment))
            kept = [line for line in lines if not is_theirs(line)]
            removed = len(lines) - len(kept)
            if removed:
                part = segment.with_name(f".{segment.name}.part")
                try:
                    with part.open("wb") as file:
                        file.writelines(kept)
                        file.flush()
                        os.fsync(file.fileno())
                    part.chmod(0o640)
                    part.replace(segment)
                finally:
                    part.unlink(missing_ok=True)
            return removed

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Holds off the threads of this process, and the erasing of others (or their writing)."""
        with self._lock:
            fcntl.flock(self._lock_file, how)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    def _open_segment(self, now: float, size: int) -> None:
        if self._segment is not None and not self._is_current(now, size):
            self._close_segment()
        if self._segment is None:
            name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S%fZ")
            segment = self._folder / f"events-{name}-{secrets.token_hex(4)}.jsonl"
            self._drop_oldest()
            file = os.open(segment, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            # Only now: where opening fails, the next write tries again.
            self._segment, self._file, self._began = segment, file, now

    def _is_current(self, now: float, size: int) -> bool:
        """Whether the next `size` bytes belong into the open segment."""
        assert self._segment is not None
        if now - self._began > self._segment_seconds:
            return False
        opened = os.fstat(self._file)
        if opened.st_size and opened.st_size + size > self._segment_bytes:
            return False
        try:
            if self._segment.stat().st_ino == opened.st_ino:
                return True
            # Someone was erased from it: the file that we hold is no longer the one in the folder.
            file = os.open(self._segment, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:
            return False
        replaced, self._file = self._file, file
        os.close(replaced)
        return True

    def _close_segment(self) -> None:
        if self._segment is not None:
            file = self._file
            # First: a descriptor is gone even where closing fails, and may be another's soon.
            self._segment, self._file = None, -1
            os.close(file)

    def _drop_oldest(self) -> None:
        sizes = []
        for segment in self.segments():
            with contextlib.suppress(FileNotFoundError):
                sizes.append((segment, segment.stat().st_size))
        # Room for the segment that begins now, so that the bound holds when it is full.
        total = sum(size for _, size in sizes) + self._segment_bytes
        for segment, size in sizes:
            if total <= self._total_bytes:
                return
            segment.unlink(missing_ok=True)
            total -= size


def _encoded(line: Mapping[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"


def _lines(segment: Path) -> Iterator[bytes]:
    """Yields the lines of a segment; none of one that was deleted."""
    with contextlib.suppress(FileNotFoundError), segment.open("rb") as file:
        yield from file


def _received(line: bytes) -> float:
    """Returns when a line was received; before all times for one that a crash tore apart."""
    try:
        return json.loads(line)["received"]
    except (ValueError, LookupError, TypeError):
        return -math.inf


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
