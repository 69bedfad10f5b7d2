"""Entry point: ``python -m serving.server``."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from serving.server import c_api
from serving.server.calls import Calls
from serving.server.config_files import FlagError
from serving.server.config_watcher import ConfigWatcher
from serving.server.flags import Flags, parse
from serving.server.grpc_services import GrpcServer
from serving.server.loading import Loader
from serving.server.manager import ModelManager
from serving.server.metrics import Metrics
from serving.server.statuses import ServingError

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
        return _refuse(" ".join(str(error).split()))


def _serve(flags: Flags, stop: threading.Event) -> int:
    for name in flags.without_effect:
        log.warning("--%s has no effect on the embedded server", name)
    try:
        with _quiet_native_stderr():
            c_api.load()
    except RuntimeError as error:
        return _refuse(str(error))
    metrics = Metrics()
    try:
        manager = ModelManager(
            flags.models,
            Loader(flags, metrics),
            poll_seconds=flags.poll_seconds,
            max_retries=flags.max_num_load_retries,
            retry_seconds=flags.load_retry_seconds,
            allow_labels_for_unavailable=flags.allow_version_labels_for_unavailable_models,
        )
    except ServingError as error:
        return _refuse(
            f"{error.text}; start with --allow_version_labels_for_unavailable_models, or assign "
            "labels by a reload once the version answers"
        )
    calls = Calls(manager, metrics)
    try:
        # Bound before the models load, so that a port in use is said at once.
        server = _grpc_server(calls, flags)
    except OSError:
        return _refuse(_in_use("--port", flags.port))
    with _quiet_native_stderr():
        failures = manager.load_once()
    if failures:
        manager.close(GRACE_SECONDS)
        return _refuse("; ".join(failures))
    try:
        rest = _start_rest(calls, flags)
    except OSError:
        manager.close(GRACE_SECONDS)
        return _refuse(_in_use("--rest_api_port", flags.rest_api_port))
    server.start()
    manager.watch()
    config_watcher = _watch_config(manager, flags)
    log.info("gRPC on %s:%d answers", flags.host, flags.port)
    _wait(stop, flags.exit_with_pid)
    log.info("shutting down")
    if config_watcher:
        config_watcher.stop()
    if rest:
        rest.stop()
    server.stop(GRACE_SECONDS)
    if not manager.close(GRACE_SECONDS):
        # A run cannot be broken off, and the interpreter would wait for its thread.
        log.warning("requests are still under way after %.0f s; ending anyway", GRACE_SECONDS)
        os._exit(0)
    return 0


def _grpc_server(calls: Calls, flags: Flags) -> GrpcServer:
    addresses = [f"{flags.host}:{flags.port}"]
    if flags.grpc_socket_path:
        addresses.append(f"unix:{flags.grpc_socket_path}")
    return GrpcServer(
        calls,
        addresses,
        threads=flags.grpc_max_threads,
        credentials=flags.credentials,
        options=flags.grpc_channel_arguments,
        with_health=flags.enable_grpc_healthcheck_service,
    )


def _watch_config(manager: ModelManager, flags: Flags) -> ConfigWatcher | None:
    seconds = flags.model_config_file_poll_wait_seconds
    if flags.model_config_file is None or seconds <= 0:
        return None
    return ConfigWatcher(flags.model_config_file, manager, seconds)


def _start_rest(calls: Calls, flags: Flags) -> "RestServer | None":
    if not flags.rest_api_port:
        if flags.metrics_path:
            log.warning("no metrics are shown: --monitoring_config_file needs --rest_api_port")
        return None
    # Imported only here: it brings an HTTP library that a gRPC-only server does not need.
    from serving.server.rest import RestServer

    server = RestServer(
        calls,
        flags.host,
        flags.rest_api_port,
        timeout_ms=flags.rest_api_timeout_in_ms,
        threads=flags.rest_api_num_threads,
        grace_seconds=GRACE_SECONDS,
        metrics_path=flags.metrics_path,
        allow_cors=flags.rest_api_enable_cors_support,
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
