"""The command: its options, its progress bar and what it prints."""

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import Progress

from serving.client.connection import Settings
from serving.client.tls import Tls
from serving.errors import ClientError
from serving.loadtest.arrivals import Arrivals, due_times
from serving.loadtest.loops import closed_loop, open_loop
from serving.loadtest.mix import KINDS, parse_mix
from serving.loadtest.shoppers import read_shoppers
from serving.loadtest.summary import Sample, summarise
from serving.loadtest.table import tables
from serving.loadtest.target import Target

T = TypeVar("T")
USER_MISTAKE = 2
POSITIVE = click.FloatRange(min=0, min_open=True)
FILE = click.Path(path_type=Path)


@click.command()
@click.option("--server", required=True, metavar="HOST:PORT", help="gRPC address.")
@click.option(
    "--histories",
    required=True,
    type=FILE,
    metavar="FILE",
    help="Shoppers as JSON lines, such as `tfrec data histories` writes.",
)
@click.option("--rate", type=POSITIVE, help="Open loop: requests a second, whatever happens.")
@click.option("--clients", type=click.IntRange(min=1), help="Closed loop: how many ask and wait.")
@click.option(
    "--arrivals",
    type=click.Choice(["poisson", "constant"]),
    default="poisson",
    show_default=True,
    help="Of an open loop: at random, as visitors come, or evenly.",
)
@click.option("--duration", type=POSITIVE, default=30.0, show_default=True, help="Seconds.")
@click.option(
    "--warmup",
    type=click.FloatRange(min=0),
    default=3.0,
    show_default=True,
    help="Seconds of load before those that are measured.",
)
@click.option(
    "--mix",
    default="recommend",
    show_default=True,
    metavar="KIND=SHARE,…",
    help=f"Shares of {', '.join(KINDS)}.",
)
@click.option(
    "--history-length", type=click.IntRange(min=0), help="Keep only the latest events of each."
)
@click.option("--timeout", type=POSITIVE, default=10.0, show_default=True, help="Seconds a call.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option("--tls", is_flag=True, help="Connect by TLS, trusting the public authorities.")
@click.option("--tls-ca", type=FILE, help="Connect by TLS, trusting the authorities in this file.")
@click.option("--tls-certificate", type=FILE, help="The client's certificate, for mutual TLS.")
@click.option("--tls-key", type=FILE, help="Its private key.")
@click.option("--tls-server-name", help="The name in the server's certificate, if not the host's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
def command(
    server: str,
    histories: Path,
    rate: float | None,
    clients: int | None,
    arrivals: Arrivals,
    duration: float,
    warmup: float,
    mix: str,
    history_length: int | None,
    timeout: float,
    seed: int,
    tls: bool,
    tls_ca: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_server_name: str | None,
    as_json: bool,
) -> None:
    """Load a model server with what real shoppers would ask.

    With --rate, requests are sent when they are due, and latencies count from then: what a server
    that stalls does to its visitors is all in the numbers. With --clients, each client waits for
    its answer, which says how much the server can do. Failed calls are not retried.
    """
    if (rate is None) == (clients is None):
        raise click.UsageError(
            "give either --rate, for an open loop, or --clients, for a closed one"
        )
    secure = tls or any((tls_ca, tls_certificate, tls_key, tls_server_name))
    credentials = Tls(tls_ca, tls_certificate, tls_key, tls_server_name) if secure else None
    shares = parse_mix(mix)
    shoppers = read_shoppers(histories)
    if history_length is not None:
        shoppers = [shopper.latest(history_length) for shopper in shoppers]
    seconds = warmup + duration
    with Target(Settings(server, timeout=timeout, retries=0, tls=credentials)) as target:
        calls = target.prepare(shoppers, shares, seed=seed)

        def load(stop: threading.Event) -> list[Sample]:
            if rate is not None:
                due = due_times(rate, seconds, arrivals, seed)
                return open_loop(target.send, calls, due, stop=stop)
            assert clients is not None
            return closed_loop(target.send, calls, seconds, clients=clients, stop=stop)

        samples = _with_progress(load, seconds)
    summary = summarise(samples, since=warmup)
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=2))
        return
    how = f"{arrivals} arrivals, {rate:g} a second" if rate else f"{clients} clients in turn"
    Console().print(tables(summary, f"{server}: {how}"))


def _with_progress(load: Callable[[threading.Event], T], seconds: float) -> T:
    """Runs `load`, which takes about `seconds` if it is not stopped, and shows how far it is."""
    stop = threading.Event()
    with (
        ThreadPoolExecutor(1) as pool,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        done = pool.submit(load, stop)
        task = bar.add_task("loading the server", total=seconds)
        start = time.monotonic()
        try:
            while not done.done():
                time.sleep(0.2)
                bar.update(task, completed=min(seconds, time.monotonic() - start))
            return done.result()
        finally:
            # After a Ctrl-C; the pool would wait for the end.
            stop.set()


def main(arguments: list[str] | None = None) -> None:
    """Runs the command; a user's mistake is one sentence and exit code 2."""
    try:
        command.main(arguments, prog_name="python -m serving.loadtest", standalone_mode=False)
    except click.Abort:
        sys.exit("interrupted")
    except (click.ClickException, ClientError) as error:
        sentence = error.format_message() if isinstance(error, click.ClickException) else str(error)
        click.echo(f"error: {sentence}", err=True)
        sys.exit(USER_MISTAKE)
