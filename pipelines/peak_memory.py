"""Measures the highest resident memory while a block runs."""

import contextlib
import re
import threading
from pathlib import Path

import psutil

SECONDS_BETWEEN_SAMPLES = 0.2
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class PeakMemory:
    """Context manager whose `peak` is the most resident memory, in bytes, that the block took.

    Linux keeps the high-water mark of this process exactly; it is reset first. A sampling thread
    adds what child processes hold, and stands in where the mark cannot be reset.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._exact = False

    def __enter__(self) -> "PeakMemory":
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")  # 5 resets VmHWM, see proc(5).
            self._exact = True
        self._measure()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._measure()
        if self._exact:
            mark = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), flags=re.MULTILINE)
            self.peak = max(self.peak, int(mark[1]) * 1024 if mark else 0)

    def _sample(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN_SAMPLES):
            self._measure()

    def _measure(self) -> None:
        this = psutil.Process()
        total = 0
        for process in (this, *this.children(recursive=True)):
            # A child may end between being listed and being asked.
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        self.peak = max(self.peak, total)
