"""Entry point: ``python -m serving.gateway``."""

import contextlib
import logging
import os
import signal
import sys
import threading

from serving.client import RecommenderClient
from serving.errors import ClientError, InvalidRequestError
from serving.gateway.access import Access
from serving.gateway.api_keys import ApiKeys
from serving.gateway.dispatcher import Dispatcher
from serving.gateway.erasures import Erasures
from serving.gateway.errors import GatewaySetupError
from serving.gateway.event_log import EventLog
from serving.gateway.flags import Flags, parse
from serving.gateway.grpc_server import GrpcServer
from serving.gateway.logs import READY, log_json
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.rest_app import application
from serving.gateway.rest_server import RestServer
from serving.gateway.service import GatewayService
from serving.history import (
    HistorySetupError,
    HistoryStore,
    HistoryUnavailableError,
    UserHashes,
    open_history,
)

log = logging.getLogger("serving.gateway")
GRACE_SECONDS = 10.0
PROBE_SECONDS = 2.0
USER_MISTAKE = 2


def main(arguments: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT.

    Returns:
        The exit code: 0 after a signal, 2 if it could not start.
    """
    log_json()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        flags = parse(arguments)
        with contextlib.ExitStack() as resources:
            _serve(flags, resources, stop)
    except (GatewaySetupError, HistorySetupError, InvalidRequestError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return USER_MISTAKE
    return 0


def _serve(flags: Flags, resources: contextlib.ExitStack, stop: threading.Event) -> None:
    """Answers until `stop` is set; what it opens is closed with `resources`."""
    history = resources.enter_context(open_history(flags.history, keep=flags.history_events))
    _check(history)
    client = resources.enter_context(
        RecommenderClient(flags.server, timeout=flags.timeout, tls=flags.server_tls)
    )
    event_log = _event_log(flags)
    if event_log is not None:
        resources.callback(event_log.close)
    metrics = GatewayMetrics()
    users = UserHashes(history, flags.user_salt)
    service = GatewayService(client, history, users, metrics, event_log)
    access = Access(ApiKeys(flags.api_keys) if flags.api_keys else None, flags.rate_limit)
    dispatcher = Dispatcher(service, access, metrics, flags.timeout)
    ready = threading.Event()
    try:
        grpc_server = GrpcServer(dispatcher, f"{flags.host}:{flags.port}", flags.ssl)
    except OSError as error:
        raise GatewaySetupError(_in_use("--port", flags.port)) from error
    if flags.rest_port:
        verified = flags.ssl is not None and flags.ssl.verify_clients
        app = application(dispatcher, metrics, ready.is_set, verified=verified)
        try:
            rest_server = RestServer(app, flags.host, flags.rest_port, flags.ssl)
        except OSError as error:
            raise GatewaySetupError(_in_use("--rest-port", flags.rest_port)) from error
        resources.callback(rest_server.stop, GRACE_SECONDS)
    grpc_server.start()
    resources.callback(grpc_server.stop, GRACE_SECONDS)
    ports = {"host": flags.host, "port": flags.port, "rest_port": flags.rest_port}
    log.info(READY, extra={"fields": ports})
    erasures = Erasures(history, event_log) if event_log is not None else None
    _watch(client, grpc_server, ready, erasures, stop, flags.exit_with_pid)
    log.info("shutting down")


def _check(history: HistoryStore) -> None:
    """Refuses a store that can never work; one that is only away may come."""
    try:
        history.check()
    except HistoryUnavailableError as error:
        log.warning("starting without the history store: %s", error)


def _event_log(flags: Flags) -> EventLog | None:
    if flags.events_log is None:
        return None
    try:
        return EventLog(flags.events_log, total_bytes=flags.events_log_bytes)
    except OSError as error:
        raise GatewaySetupError(
            f"cannot write the event log to {flags.events_log} ({error.strerror}); choose a folder "
            "that may be written to"
        ) from error


def _watch(
    client: RecommenderClient,
    server: GrpcServer,
    ready: threading.Event,
    erasures: Erasures | None,
    stop: threading.Event,
    parent: int | None,
) -> None:
    """Keeps health up to date until `stop` is set, or the process that started this has ended."""
    known: bool | None = None
    while True:
        answers = _answers(client)
        if answers != known:
            known = answers
            (ready.set if answers else ready.clear)()
            server.set_ready(answers)
            log.info("the model server %s", "answers" if answers else "does not answer")
        if erasures is not None:
            erasures.follow()
        if stop.wait(PROBE_SECONDS):
            return
        if parent is not None and os.getppid() != parent:
            log.info("the process that started this gateway has ended")
            return


def _answers(client: RecommenderClient) -> bool:
    try:
        return any(one.state == "available" for one in client.models(timeout=PROBE_SECONDS))
    except ClientError:
        return False


def _in_use(flag: str, port: int) -> str:
    return f"port {port} is in use; stop what listens there or give another {flag}"


if __name__ == "__main__":
    sys.exit(main())
