"""Keeps on disk what an unfinished step has cost so far, so that a kill does not hide it."""

import contextlib
import threading
import time
from pathlib import Path

from pipelines.peak_memory import PeakMemory
from tfrec.errors import UserError
from tfrec.files import read_json, write_json

SECONDS_BETWEEN_NOTES = 3.0


class Attempt:
    """Context manager around the work of a step.

    It leaves a note at `path` until `forget` is called. When the same work is begun again before
    that, its figures continue those of the note.

    Attributes:
        continued: whether an earlier attempt at the same work was broken off.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path = path
        self._fingerprint = fingerprint
        earlier = self._read()
        self.continued = earlier is not None
        self._earlier_seconds, self._earlier_peak = earlier or (0.0, 0)
        self._started = 0.0
        self._ended: float | None = None
        self._memory = PeakMemory()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take_notes, daemon=True)

    def __enter__(self) -> "Attempt":
        self._started = time.monotonic()
        self._memory.__enter__()
        self._take_note()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._memory.__exit__()
        self._ended = time.monotonic()
        self._take_note()

    def forget(self) -> None:
        """Removes the note, once the figures are kept elsewhere."""
        self._path.unlink(missing_ok=True)

    @property
    def seconds(self) -> float:
        """Wall time of this attempt and of those that it continues."""
        until = time.monotonic() if self._ended is None else self._ended
        return self._earlier_seconds + until - self._started

    @property
    def peak_memory(self) -> int:
        """Bytes at the peak of this attempt and of those that it continues."""
        return max(self._earlier_peak, self._memory.peak)

    def _take_notes(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_NOTES):
            self._take_note()

    def _take_note(self) -> None:
        note = {
            "fingerprint": self._fingerprint,
            "seconds": self.seconds,
            "peak_memory": self.peak_memory,
        }
        # A full disk is the step's to report; without a note only a figure is lost.
        with contextlib.suppress(UserError, OSError):
            write_json(self._path, note)

    def _read(self) -> tuple[float, int] | None:
        try:
            note = read_json(self._path)
        except UserError:
            return None
        if note["fingerprint"] != self._fingerprint:
            return None
        return note["seconds"], note["peak_memory"]
