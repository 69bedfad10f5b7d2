"""A gateway as a process of its own: started, watched, ended for sure."""

import os
import sys
import threading
import time
from collections.abc import Sequence

from serving.child_process import ChildProcess, reachable
from serving.gateway.errors import GatewaySetupError
from serving.gateway.flags import parse
from serving.gateway.logs import READY

START_SECONDS = 60.0
ERROR = "error: "


class GatewayProcess(ChildProcess):
    """``python -m serving.gateway`` in front of a model server.

    Attributes:
        address: ``HOST:PORT`` of its gRPC port, as a client on this machine reaches it.
        rest_address: the same of its REST port, or None.
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
        host = reachable(parsed.host)
        self.address = f"{host}:{parsed.port}"
        self.rest_address = f"{host}:{parsed.rest_port}" if parsed.rest_port else None
        self._refusal = ""
        self._ready = threading.Event()
        command = [sys.executable, "-m", "serving.gateway", *arguments]
        super().__init__(command, stdout=False, forward_log=True)

    def wait_until_ready(self) -> None:
        """Waits until the gateway answers.

        Raises:
            GatewaySetupError: if it ends first, or does not answer within a minute.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self._join_reader()
                raise GatewaySetupError(
                    self._refusal or f"the gateway ended with code {self.process.returncode}"
                )
            if self._ready.wait(0.05):
                return
        raise GatewaySetupError(f"the gateway was not ready after {START_SECONDS:.0f} s")

    def _heard(self, line: str) -> bool:
        if line.startswith(ERROR):
            # Told as an exception, not twice.
            self._refusal = line.removeprefix(ERROR).strip()
            return False
        if READY in line:
            self._ready.set()
        return True
