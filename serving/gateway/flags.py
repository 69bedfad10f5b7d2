"""The gateway's command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from serving.client import Tls
from serving.client.connection import MEGABYTE
from serving.gateway.errors import GatewaySetupError
from serving.history.store import DEFAULT_KEEP
from serving.ssl_config import SslConfig, SslConfigError, read_ssl_config


@dataclass(frozen=True)
class Flags:
    """What the gateway was started with."""

    server: str
    server_tls: Tls | None
    history: str
    history_events: int
    user_salt: str | None
    host: str
    port: int
    rest_port: int
    api_keys: Path | None
    ssl: SslConfig | None
    rate_limit: str | None
    events_log: Path | None
    events_log_bytes: int
    timeout: float
    exit_with_pid: int | None


def parse(arguments: list[str] | None = None) -> Flags:
    """Reads the flags and the files that they name.

    Raises:
        GatewaySetupError: if they contradict each other, or a file cannot be used.
    """
    options = _parser().parse_args(arguments)
    try:
        ssl = read_ssl_config(options.ssl_config_file) if options.ssl_config_file else None
    except SslConfigError as error:
        raise GatewaySetupError(str(error)) from error
    proves_callers = options.api_keys is not None or (ssl is not None and ssl.verify_clients)
    if proves_callers == options.no_auth:
        raise GatewaySetupError(
            "give --no-auth or a way to know callers, not both"
            if proves_callers
            else "nothing tells who may ask: give --api-keys FILE, or an --ssl_config_file with "
            "client_verify, or --no-auth where only trusted programs can reach the gateway"
        )
    for name, low in (("port", 1), ("rest_port", 0)):
        value = getattr(options, name)
        if not low <= value <= 65535:
            flag = name.replace("_", "-")
            raise GatewaySetupError(f"--{flag} should be between {low} and 65535, not {value}")
    return Flags(
        server=options.server,
        server_tls=_server_tls(options),
        history=options.history,
        history_events=options.history_events,
        user_salt=_salt(options.user_salt_file),
        host=options.host,
        port=options.port,
        rest_port=options.rest_port,
        api_keys=options.api_keys,
        ssl=ssl,
        rate_limit=options.rate_limit,
        events_log=options.events_log,
        events_log_bytes=options.events_log_megabytes * MEGABYTE,
        timeout=options.timeout,
        exit_with_pid=options.exit_with_pid,
    )


def _server_tls(options: argparse.Namespace) -> Tls | None:
    if not (options.server_ca or options.server_cert or options.server_key):
        return None
    return Tls(ca=options.server_ca, certificate=options.server_cert, key=options.server_key)


def _salt(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        salt = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GatewaySetupError(f"cannot read the user salt in {path} ({error})") from error
    if not salt:
        raise GatewaySetupError(f"the user salt in {path} is empty; put a secret text there")
    return salt


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise GatewaySetupError(f"{message}; see `{self.prog} --help`")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m serving.gateway",
        description="A service that knows shoppers by id, in front of a model server.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--server", default="localhost:8500", metavar="HOST:PORT", help="gRPC of the model server")
    add("--server-ca", type=Path, metavar="FILE", help="authority of the model server's TLS")
    add("--server-cert", type=Path, metavar="FILE", help="certificate shown to the model server")
    add("--server-key", type=Path, metavar="FILE", help="key of --server-cert")
    add(
        "--history",
        default="sqlite:///history.db",
        metavar="URL",
        help="where histories are kept: sqlite:///FILE or redis://HOST:PORT/NUMBER",
    )
    add(
        "--history-events",
        type=int,
        default=DEFAULT_KEEP,
        metavar="N",
        help="events kept a shopper (%(default)s)",
    )
    add(
        "--user-salt-file",
        type=Path,
        metavar="FILE",
        help="salt of the hashes that stand for shoppers; by default the history store's own",
    )
    add("--host", default="0.0.0.0", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8600, help="gRPC port (%(default)s)")
    add("--rest-port", type=int, default=8601, help="REST port; 0 for none (%(default)s)")
    add("--api-keys", type=Path, metavar="FILE", help="lines NAME:SHA256-OF-KEY; callers need one")
    add(
        "--ssl_config_file",
        type=Path,
        metavar="FILE",
        help="TLS of both ports, in the model server's format",
    )
    add("--no-auth", action="store_true", help="answer anyone who can reach the ports")
    add("--rate-limit", metavar="N/UNIT", help="requests a caller, such as 100/second")
    add("--events-log", type=Path, metavar="DIR", help="note recommendations and events there")
    add(
        "--events-log-megabytes",
        type=int,
        default=1024,
        metavar="N",
        help="bound of the event log; the oldest go first (%(default)s)",
    )
    add("--timeout", type=float, default=5.0, metavar="SECONDS", help="longest wait for an answer")
    add("--exit_with_pid", type=int, help="end when this parent process has ended")
    return parser
