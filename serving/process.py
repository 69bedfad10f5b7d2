"""Starts the embedded server as a process of its own, and ends it for sure."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.channel import ModelServerChannel
from serving.errors import ClientError
from serving.model_folder import find_models

AVAILABLE = 30
STOP_SECONDS = 15.0


class ServerStartError(Exception):
    """A server that did not come up; the sentence says why."""


@dataclass
class ServerProcess:
    """A running server.

    Attributes:
        address: ``HOST:PORT`` of its gRPC port.
        rest_address: ``HOST:PORT`` of its REST port, or None.
        process: the process.
        log_path: the file that its log goes to, or None where it goes to our stderr.
        versions: the version that answers, by model.
    """

    address: str
    rest_address: str | None
    process: subprocess.Popen[bytes]
    log_path: Path | None = None
    versions: dict[str, int] = field(default_factory=dict)

    def log(self) -> str:
        """Returns what the server has logged so far."""
        return self.log_path.read_text(errors="replace") if self.log_path else ""

    def stop(self) -> int:
        """Ends the server, gracefully if it lets us, and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def free_port() -> int:
    """Returns a port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_model_config(models: Mapping[str, Path], path: Path) -> None:
    """Writes a ModelServerConfig in text format for models by name."""
    from google.protobuf import text_format

    from serving import wire

    message = wire.ModelServerConfig()
    for name, folder in models.items():
        message.model_config_list.config.add(
            name=name, base_path=str(folder.resolve()), model_platform="tensorflow"
        )
    path.write_text(text_format.MessageToString(message), encoding="utf-8")


def embedded_command() -> list[str]:
    """Returns the command that starts the embedded server and ends it with this process."""
    return [sys.executable, "-m", "serving.server", f"--exit_with_pid={os.getpid()}"]


def wait_until_ready(
    process: subprocess.Popen[bytes], address: str, models: Sequence[str], timeout: float
) -> dict[str, int]:
    """Waits until every model has a version that answers.

    Returns:
        That version by model.

    Raises:
        ServerStartError: if the process ends first, or takes longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    channel = ModelServerChannel(address, timeout=2.0, retries=0)
    versions: dict[str, int] = {}
    try:
        while len(versions) < len(models):
            if process.poll() is not None:
                raise ServerStartError(
                    f"the model server ended with code {process.returncode} before it was ready"
                )
            if time.monotonic() > deadline:
                raise ServerStartError(f"the model server was not ready after {timeout:.0f} s")
            for name in models:
                with contextlib.suppress(ClientError):
                    available = [
                        status.version
                        for status in channel.status(name)
                        if status.state == AVAILABLE
                    ]
                    if available:
                        versions[name] = max(available)
            if len(versions) < len(models):
                time.sleep(0.1)
    finally:
        channel.close()
    return versions


@contextlib.contextmanager
def start_server(
    models: str | Path,
    *,
    port: int | None = None,
    rest_port: int | None = None,
    flags: Sequence[str] = (),
    timeout: float = 120.0,
    log_path: str | Path | None = None,
) -> Iterator[ServerProcess]:
    """Serves a models folder in another process until the block ends.

    Args:
        models: folder with ``<name>/<version>/`` below it.
        port: gRPC port; None for a free one.
        rest_port: REST port; None for none, 0 for a free one.
        flags: more flags for ``python -m serving.server``.
        timeout: seconds that the models may take to load.
        log_path: file for the server's log; None for a temporary one.

    Yields:
        The server, ready to answer.

    Raises:
        ModelFolderError: if there is nothing whole to serve.
        ServerStartError: if the server does not come up; its log is in the sentence.
    """
    found = find_models(Path(models))
    with tempfile.TemporaryDirectory(prefix="tfrec-serve-") as scratch:
        config = Path(scratch) / "models.config"
        write_model_config({model.name: model.path for model in found}, config)
        port = port or free_port()
        rest = free_port() if rest_port == 0 else rest_port
        command = [
            *embedded_command(),
            "--host=127.0.0.1",
            f"--port={port}",
            f"--rest_api_port={rest or 0}",
            f"--model_config_file={config}",
            *flags,
        ]
        log_file = Path(log_path) if log_path else Path(scratch) / "server.log"
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Keeps a Ctrl-C at the terminal for us; we end the server in the right order.
                start_new_session=True,
                env=_environment(),
            )
        server = ServerProcess(
            f"127.0.0.1:{port}", f"127.0.0.1:{rest}" if rest else None, process, log_file
        )
        try:
            try:
                server.versions = wait_until_ready(
                    process, server.address, [model.name for model in found], timeout
                )
            except ServerStartError as error:
                last = " ".join(server.log().strip().splitlines()[-1:])
                raise ServerStartError(f"{error}: {last}" if last else str(error)) from None
            yield server
        finally:
            server.stop()


def _environment() -> dict[str, str]:
    """Returns our environment, with the packages that we run from on the path."""
    root = str(Path(__file__).parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}
