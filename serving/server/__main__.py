"""Entry point: ``python -m serving.server``."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from serving.server import c_api
from serving.server.flags import FlagError, Flags, parse
from serving.server.grpc_services import GrpcServer
from serving.server.manager import ModelManager
from serving.server.servable import Servable
from serving.server.warmup import warm_up

if TYPE_CHECKING:
    from serving.server.rest import RestServer

log = logging.getLogger("serving.server")
GRACE_SECONDS = 10.0
USER_MISTAKE = 2


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after a signal, 2 if it could not start.
    """
    logging.basicConfig(
        # A copy of stderr, because `_quiet_native_stderr` turns the original away for a while.
        stream=os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1),
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return _serve(parse(arguments), stop)
    except FlagError as error:
        return _refuse(str(error))


def _serve(flags: Flags, stop: threading.Event) -> int:
    try:
        with _quiet_native_stderr():
            c_api.load()
    except RuntimeError as error:
        return _refuse(str(error))
    manager = ModelManager(
        flags.models,
        lambda name, version, folder: _load(flags, name, version, folder),
        poll_seconds=flags.poll_seconds,
        max_retries=flags.max_num_load_retries,
        retry_seconds=flags.load_retry_seconds,
    )
    address = f"{flags.host}:{flags.port}"
    try:
        # Bound before the models load, so that a port in use is said at once.
        server = GrpcServer(manager, address, threads=flags.grpc_max_threads)
    except OSError:
        return _refuse(_in_use("--port", flags.port))
    with _quiet_native_stderr():
        failures = manager.load_once()
    if failures:
        manager.close(GRACE_SECONDS)
        return _refuse("; ".join(failures))
    try:
        rest = _start_rest(manager, flags)
    except OSError:
        manager.close(GRACE_SECONDS)
        return _refuse(_in_use("--rest_api_port", flags.rest_api_port))
    server.start()
    manager.watch()
    log.info("gRPC on %s answers", address)
    _wait(stop, flags.exit_with_pid)
    log.info("shutting down")
    if rest:
        rest.stop()
    server.stop(GRACE_SECONDS)
    if not manager.close(GRACE_SECONDS):
        # A run cannot be broken off, and the interpreter would wait for its thread.
        log.warning("requests are still under way after %.0f s; ending anyway", GRACE_SECONDS)
        os._exit(0)
    return 0


def _start_rest(manager: ModelManager, flags: Flags) -> "RestServer | None":
    if not flags.rest_api_port:
        return None
    # Imported only here: it brings an HTTP library that a gRPC-only server does not need.
    from serving.server.rest import RestServer

    server = RestServer(
        manager,
        flags.host,
        flags.rest_api_port,
        timeout_ms=flags.rest_api_timeout_in_ms,
        threads=flags.grpc_max_threads,
        grace_seconds=GRACE_SECONDS,
    )
    log.info("REST on %s:%d answers", flags.host, flags.rest_api_port)
    return server


def _in_use(flag: str, port: int) -> str:
    return f"port {port} is in use; stop what listens there or give another {flag}"


@contextlib.contextmanager
def _quiet_native_stderr() -> Iterator[None]:
    """Keeps the notices that TensorFlow writes when it starts off the log.

    Some ignore every log level. What matters in them comes as a status, too, and is logged.
    Later messages, such as those before a crash, are shown.
    """
    descriptor = sys.stderr.fileno()
    kept, nowhere = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)


def _load(flags: Flags, name: str, version: int, folder: Path) -> Servable:
    servable = Servable.load(
        name,
        version,
        folder,
        intra_op=flags.intra_op_threads,
        inter_op=flags.inter_op_threads,
    )
    if flags.enable_model_warmup:
        try:
            count = warm_up(servable.session, folder)
            log.info("model %s: version %d ran %d warm-up requests", name, version, count)
        except BaseException:
            servable.session.close()
            raise
    return servable


def _wait(stop: threading.Event, parent: int | None) -> None:
    """Returns when `stop` is set, or when the process that started this one has ended."""
    while not stop.wait(0.5):
        if parent is not None and os.getppid() != parent:
            log.info("the process that started this server has ended")
            return


def _refuse(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr, flush=True)
    return USER_MISTAKE


if __name__ == "__main__":
    sys.exit(main())
