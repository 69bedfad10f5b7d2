"""A gateway as a process of its own: started, watched, ended for sure."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import IO, Self

from serving.gateway.errors import GatewaySetupError
from serving.gateway.flags import parse
from serving.gateway.logs import READY
from serving.process import package_environment

STOP_SECONDS = 15.0
START_SECONDS = 60.0
ERROR = "error: "


class GatewayProcess:
    """``python -m serving.gateway`` in front of a model server.

    Attributes:
        address: ``HOST:PORT`` of its gRPC port, as a client on this machine reaches it.
        rest_address: the same of its REST port, or None.
        process: the process.
        forward_log: whether what it logs from now on is written to our stderr.
    """

    def __init__(self, server: str, flags: Sequence[str]) -> None:
        """Starts the process; it is not ready yet.

        Args:
            server: ``HOST:PORT`` of the model server.
            flags: the gateway's own.

        Raises:
            GatewaySetupError: if the flags cannot work.
        """
        arguments = [f"--server={server}", f"--exit_with_pid={os.getpid()}", *flags]
        parsed = parse(arguments)
        host = "localhost" if parsed.host in ("0.0.0.0", "::", "[::]") else parsed.host
        self.address = f"{host}:{parsed.port}"
        self.rest_address = f"{host}:{parsed.rest_port}" if parsed.rest_port else None
        self.forward_log = True
        self._refusal = ""
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "serving.gateway", *arguments],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Keeps a Ctrl-C at the terminal for us; we end the processes in the right order.
            start_new_session=True,
            env=package_environment(),
        )
        assert self.process.stderr is not None
        self._reader = threading.Thread(
            target=self._read_log, args=(self.process.stderr,), name="gateway-log", daemon=True
        )
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self) -> None:
        """Waits until the gateway answers.

        Raises:
            GatewaySetupError: if it ends first, or does not answer within a minute.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self._reader.join(1.0)
                raise GatewaySetupError(
                    self._refusal or f"the gateway ended with code {self.process.returncode}"
                )
            if self._ready.wait(0.05):
                return
        raise GatewaySetupError(f"the gateway was not ready after {START_SECONDS:.0f} s")

    def stop(self) -> int:
        """Ends the gateway, gracefully if it lets us, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        self._reader.join(1.0)
        return code

    def _read_log(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", errors="replace")
            if text.startswith(ERROR):
                # Told as an exception, not twice.
                self._refusal = text.removeprefix(ERROR).strip()
                continue
            if READY in text:
                self._ready.set()
            if self.forward_log:
                sys.stderr.write(text)
                sys.stderr.flush()
