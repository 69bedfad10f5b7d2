"""A program of ours as a process of its own: what it says is read, and it is ended for sure."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

STOP_SECONDS = 15.0


class ChildProcess:
    """A process that is ended with the block it is used in.

    A class made of this one says in `_heard` what is to be done with each line.

    Attributes:
        process: the process.
        forward_log: whether what it logs from now on is written to our stderr.
    """

    def __init__(self, command: Sequence[str], *, stdout: bool, forward_log: bool) -> None:
        """Starts the process, and reads its stderr.

        Args:
            command: program and arguments.
            stdout: whether its stdout is read as well; it is ours otherwise.
            forward_log: as the attribute.
        """
        self.forward_log = forward_log
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout else None,
            stderr=subprocess.STDOUT if stdout else subprocess.PIPE,
            # Keeps a Ctrl-C at the terminal for us; we end the processes in the right order.
            start_new_session=True,
            env=package_environment(),
        )
        stream = self.process.stdout if stdout else self.process.stderr
        assert stream is not None
        self._reader = threading.Thread(
            target=self._read_log, args=(stream,), name="child-log", daemon=True
        )
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Ends the process, gracefully if it lets us, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        self._join_reader()
        return code

    def _heard(self, line: str) -> bool:
        """Takes note of a line of the log, and returns whether it may be forwarded."""
        raise NotImplementedError

    def _join_reader(self) -> None:
        """Waits a moment for the last lines of a process that has ended."""
        self._reader.join(1.0)

    def _read_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", errors="replace")
            if self._heard(text) and self.forward_log:
                # Our stderr may be closed or on a full disk; a child that nobody reads would hang.
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(text)
                    sys.stderr.flush()


def package_environment() -> dict[str, str]:
    """Returns our environment, with the packages that we run from on the path."""
    root = str(Path(__file__).parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def reachable(host: str) -> str:
    """Returns how to reach on this machine what listens on `host`."""
    return "localhost" if host in ("0.0.0.0", "::", "[::]") else host
