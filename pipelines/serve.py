"""Serves a models folder over gRPC, with the official model server where there is one."""

import os
import shlex
import shutil
import signal
import time
from pathlib import Path

import click

from pipelines.running import run
from serving.model_folder import ModelFolderError, find_models
from serving.process import OFFICIAL_BINARY, ServerProcess, ServerStartError
from tfrec.errors import UserError

PORT = click.IntRange(1, 65535)


@click.command()
@click.option(
    "--models",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that `tfrec export` wrote; every model in it is served.",
)
@click.option("--port", type=PORT, default=8500, show_default=True, help="gRPC port.")
@click.option("--rest-port", type=PORT, default=8501, show_default=True, help="REST port.")
@click.option(
    "--host",
    default="0.0.0.0",
    show_default=True,
    help="Address that the embedded server listens on; 127.0.0.1 for this machine only.",
)
@click.option(
    "--binary",
    metavar="PATH",
    help=f"A {OFFICIAL_BINARY}; without it, one on the PATH, or else the embedded server.",
)
@click.option("--embedded", is_flag=True, help="Use the embedded server in any case.")
@click.option(
    "--timeout", type=float, default=300.0, show_default=True, help="Seconds to load the models."
)
@click.option(
    "--server-flags",
    metavar="'--FLAG ...'",
    default="",
    help=f"More flags of {OFFICIAL_BINARY}, quoted, such as '--enable_batching'; the embedded "
    "server takes the same.",
)
@click.option(
    "--gateway",
    is_flag=True,
    help="Start a gateway in front, too, which knows shoppers by id.",
)
@click.option(
    "--gateway-flags",
    metavar="'--FLAG ...'",
    default="",
    help="The gateway's own flags, quoted; see `python -m serving.gateway --help`.",
)
def command(
    models: Path,
    port: int,
    rest_port: int,
    host: str,
    binary: str | None,
    embedded: bool,
    timeout: float,
    server_flags: str,
    gateway: bool,
    gateway_flags: str,
) -> None:
    """Serve exported models over gRPC and REST.

    The protocol is TensorFlow Serving's. New versions that appear in the folder are loaded while
    the old ones serve. Ends at Ctrl-C or SIGTERM, after the requests under way.
    """
    if gateway_flags and not gateway:
        raise UserError("--gateway-flags are of no use without --gateway; give both")
    official, why = _choose(binary, embedded)
    # Ctrl-C and SIGTERM both end the server in order: as an exception, wherever we wait.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = find_models(models)
        with ServerProcess(
            found,
            port=port,
            rest_port=rest_port,
            host=host,
            binary=official,
            flags=_split(server_flags),
        ) as server:
            try:
                server.wait_until_ready(timeout)
                server.forward_log = True
                versions = ", ".join(f"{name} {server.versions[name]}" for name in server.versions)
                click.echo(
                    f"serving {versions} with {why} on {server.address} (gRPC) and "
                    f"{server.rest_address} (REST); Ctrl-C ends it"
                )
                code = _answer_by_id(server, gateway_flags) if gateway else server.wait()
            except KeyboardInterrupt:
                return
            raise UserError(f"the model server ended by itself with code {code}; see its log above")
    except (ModelFolderError, ServerStartError) as error:
        raise UserError(str(error)) from error


def _split(flags: str) -> list[str]:
    """Splits flags as a shell would.

    Raises:
        UserError: for a quotation mark that nothing closes.
    """
    try:
        return shlex.split(flags)
    except ValueError as error:
        raise UserError(f"--server-flags cannot be read ({error}): {flags}") from error


def _answer_by_id(server: ServerProcess, flags: str) -> int:
    """Runs a gateway in front of `server` until one of them ends; returns the server's exit code.

    Raises:
        UserError: if the gateway does not start, or ends by itself.
    """
    from serving.gateway.errors import GatewaySetupError
    from serving.gateway.process import GatewayProcess

    try:
        with GatewayProcess(server.address, shlex.split(flags)) as gateway:
            gateway.wait_until_ready()
            rest = f" and {gateway.rest_address} (REST)" if gateway.rest_address else ""
            click.echo(f"gateway on {gateway.address} (gRPC){rest}")
            while server.process.poll() is None:
                if gateway.process.poll() is not None:
                    raise UserError("the gateway ended by itself; see its log above")
                time.sleep(0.2)
            return server.process.returncode
    except GatewaySetupError as error:
        raise UserError(str(error)) from error


def _choose(binary: str | None, embedded: bool) -> tuple[str | None, str]:
    """Returns the official server's path, or None for the embedded one, and words that say so.

    Raises:
        UserError: if the given binary cannot be run.
    """
    if embedded:
        return None, "the embedded server"
    if binary is not None:
        found = shutil.which(os.path.expanduser(binary))
        if found is None:
            raise UserError(
                f"there is no program {binary}; give --binary the path of a {OFFICIAL_BINARY}, or "
                "leave it out for the embedded server"
            )
        return found, found
    found = shutil.which(OFFICIAL_BINARY)
    if found is not None:
        return found, found
    return None, f"the embedded server (no {OFFICIAL_BINARY} on the PATH)"


if __name__ == "__main__":
    run(command)
