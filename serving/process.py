"""A model server as a process of its own: started, watched, ended for sure."""

import collections
import contextlib
import errno
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf import text_format

from serving import wire
from serving.child_process import ChildProcess, reachable
from serving.client import RecommenderClient, Tls
from serving.errors import ClientError
from serving.model_folder import ModelFolder, find_models

OFFICIAL_BINARY = "tensorflow_model_server"
KEPT_LOG_LINES = 10_000
PORT_TRIES = 3


class ServerStartError(Exception):
    """A server that did not come up; the sentence says why."""


class ServerProcess(ChildProcess):
    """A model server that loads `models`.

    Attributes:
        address: ``HOST:PORT`` of its gRPC port, as a client on this machine reaches it.
        rest_address: the same of its REST port, or None.
        versions: the version that answers, by model; filled by `wait_until_ready`.
    """

    def __init__(
        self,
        models: Sequence[ModelFolder],
        *,
        port: int,
        rest_port: int | None = None,
        host: str = "127.0.0.1",
        binary: str | None = None,
        flags: Sequence[str] = (),
        tls: Tls | None = None,
    ) -> None:
        """Starts the process; it is not ready yet.

        Args:
            models: what to serve.
            port: gRPC port.
            rest_port: REST port; None for none.
            host: address to listen on; the official server listens on all.
            binary: a ``tensorflow_model_server``; None for the embedded server.
            flags: more flags.
            tls: how to ask a server whose flags make it speak TLS.

        Raises:
            ServerStartError: if a port cannot be listened on.
        """
        for number, option in ((port, "--port"), (rest_port, "--rest-port")):
            if number is not None:
                _check_port(host, number, option)
        self.address = f"{reachable(host)}:{port}"
        self.rest_address = f"{reachable(host)}:{rest_port}" if rest_port else None
        self.versions: dict[str, int] = {}
        self._tls = tls
        self._names = [model.name for model in models]
        self._lines: collections.deque[str] = collections.deque(maxlen=KEPT_LOG_LINES)
        self._scratch = Path(tempfile.mkdtemp(prefix="tfrec-serve-"))
        config = self._scratch / "models.config"
        _write_model_config(models, config)
        own = [binary] if binary else [*_embedded_command(), f"--host={host}"]
        super().__init__(
            [
                *own,
                f"--port={port}",
                f"--rest_api_port={rest_port or 0}",
                f"--model_config_file={config}",
                "--enable_grpc_healthcheck_service",
                *flags,
            ],
            stdout=True,
            forward_log=False,
        )

    def log(self) -> str:
        """Returns what the server has logged so far (its last 10,000 lines)."""
        return "".join(self._lines)

    def wait_until_ready(self, timeout: float) -> None:
        """Waits until every model has a version that answers, and fills `versions`.

        Raises:
            ServerStartError: if the process ends first or takes longer than `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with RecommenderClient(self.address, timeout=2.0, retries=0, tls=self._tls) as client:
            while len(self.versions) < len(self._names):
                if self.process.poll() is not None:
                    raise ServerStartError(self._last_words())
                if time.monotonic() > deadline:
                    raise ServerStartError(
                        f"the model server was not ready after {timeout:.0f} s; give it longer, or "
                        "look at its log"
                    )
                for name in self._names:
                    with contextlib.suppress(ClientError):
                        states = client.models([name])
                        available = [one.version for one in states if one.state == "available"]
                        if available:
                            self.versions[name] = max(available)
                if len(self.versions) < len(self._names):
                    time.sleep(0.05)
        # It was read at the start, and would stay behind if this process were killed.
        shutil.rmtree(self._scratch, ignore_errors=True)

    def wait(self) -> int:
        """Returns the exit code once the server has ended by itself."""
        # Not one long wait: a signal that another thread received would not break it off.
        while self.process.poll() is None:
            time.sleep(0.2)
        return self.process.returncode

    def stop(self) -> int:
        """Ends the server, gracefully if it lets us, and returns its exit code."""
        code = super().stop()
        shutil.rmtree(self._scratch, ignore_errors=True)
        return code

    def _heard(self, line: str) -> bool:
        self._lines.append(line)
        return True

    def _last_words(self) -> str:
        self._join_reader()
        lines = self.log().strip().splitlines()
        if lines and lines[-1].startswith("error: "):
            return lines[-1].removeprefix("error: ")
        ended = f"the model server ended with code {self.process.returncode} before it was ready"
        return f"{ended}: {lines[-1]}" if lines else ended


@contextlib.contextmanager
def start_server(
    models: str | Path,
    *,
    port: int | None = None,
    rest_port: int | None = None,
    flags: Sequence[str] = (),
    tls: Tls | None = None,
    timeout: float = 120.0,
) -> Iterator[ServerProcess]:
    """Serves a models folder with the embedded server until the block ends.

    Args:
        models: folder with ``<name>/<version>/`` below it.
        port: gRPC port on the loopback interface; None for a free one.
        rest_port: REST port; None for none, 0 for a free one.
        flags: more flags for ``python -m serving.server``.
        tls: how to ask it, if its flags make it speak TLS.
        timeout: seconds that the models may take to load.

    Yields:
        The server, ready to answer at its `address`.

    Raises:
        ModelFolderError: if there is nothing whole to serve.
        ServerStartError: if the server does not come up.
    """
    found = find_models(Path(models))
    for left in reversed(range(PORT_TRIES)):
        rest = free_port() if rest_port == 0 else rest_port
        number = port or free_port()
        server = ServerProcess(found, port=number, rest_port=rest, flags=flags, tls=tls)
        with server:
            try:
                server.wait_until_ready(timeout)
            except ServerStartError as error:
                # Another process may have taken the free port before the server bound it.
                if port is None and left and "in use" in str(error):
                    continue
                raise
            yield server
            return


def free_port() -> int:
    """Returns a port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _check_port(host: str, port: int, option: str) -> None:
    """Makes sure that a server can listen there; `option` is how to name another port."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                what = f"port {port} is in use; stop what listens there or give another {option}"
            elif isinstance(error, PermissionError):
                what = f"not allowed to listen on port {port}; give another {option}, from 1024 up"
            else:
                what = f"cannot listen on {host}:{port} ({error.strerror}); give another --host"
            raise ServerStartError(what) from error


def _write_model_config(models: Sequence[ModelFolder], path: Path) -> None:
    message = wire.ModelServerConfig()
    for model in models:
        message.model_config_list.config.add(
            name=model.name, base_path=str(model.path.resolve()), model_platform="tensorflow"
        )
    path.write_text(text_format.MessageToString(message), encoding="utf-8")


def _embedded_command() -> list[str]:
    return [sys.executable, "-m", "serving.server", f"--exit_with_pid={os.getpid()}"]
