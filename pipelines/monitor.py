"""Watches a recommender in service: TensorBoard, drift and alerts."""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipelines.running import run
from serving.client import ModelVersion, RecommenderClient
from serving.errors import ClientError
from serving.model_folder import versions_of
from tfrec.errors import UserError

SERVER_METRICS = "/monitoring/prometheus/metrics"
GATEWAY_METRICS = "/metrics"


@click.command()
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for TensorBoard's event files, alerts.jsonl and the state of the alerts.",
)
@click.option("--server", metavar="HOST:PORT", help="gRPC address of the model server.")
@click.option("--rest", metavar="HOST:PORT", help="REST address of the model server.")
@click.option("--gateway", metavar="HOST:PORT", help="REST address of the gateway.")
@click.option(
    "--event-log", type=click.Path(path_type=Path), metavar="DIR", help="The gateway's event log."
)
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that `tfrec export` wrote: the reference statistics of its newest version, and "
    "what rules with `action: roll_back` act on.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="Intervals, windows, webhook and rules; without it, those of the documentation.",
)
@click.option("--once", is_flag=True, help="Look once, print the figures, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print JSON, not a table.")
def command(
    out: Path,
    server: str | None,
    rest: str | None,
    gateway: str | None,
    event_log: Path | None,
    models: Path | None,
    config: Path | None,
    once: bool,
    as_json: bool,
) -> None:
    """Watch a recommender in service: TensorBoard, drift and alerts.

    Everything that is named is watched; what is down is said so, and watched on. Ends at Ctrl-C or
    SIGTERM. Look at it with `tensorboard --logdir DIR`.
    """
    from tfrec.monitoring.alerts.actions import ActionSink
    from tfrec.monitoring.alerts.delivery import FileSink, LogSink, Sink, WebhookSink
    from tfrec.monitoring.live.config import load_monitor_config
    from tfrec.monitoring.live.monitor import Monitor, Sources

    if not any((server, rest, gateway, event_log)):
        raise UserError(
            "there is nothing to watch; name at least one of --server, --rest, --gateway and "
            "--event-log"
        )
    settings = load_monitor_config(config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    pages = {
        name: f"http://{address}{path}"
        for name, address, path in (
            ("server", rest, SERVER_METRICS),
            ("gateway", gateway, GATEWAY_METRICS),
        )
        if address
    }
    sinks: list[Sink] = [LogSink(), FileSink(out / "alerts.jsonl")]
    if settings.webhook is not None:
        sinks.append(WebhookSink(settings.webhook))
    rules = settings.rules or []
    if any(rule.action == "roll_back" for rule in rules):
        sinks.append(ActionSink(rules, {"roll_back": _roller_back(models)}))
    monitor = Monitor(
        Sources(
            pages,
            _asker(server, settings.timeout_seconds) if server else None,
            event_log,
            _reference_reader(models) if models else None,
        ),
        settings,
        out,
        sinks,
        started=time.time(),
    )
    try:
        if once:
            monitor.look(time.time(), time.monotonic())
            _show(monitor.figures, as_json)
            return
        click.echo(f"watching; tensorboard --logdir {out} shows it; Ctrl-C ends it", err=True)
        _watch(monitor.look, settings.interval_seconds)
    finally:
        monitor.close()


def _watch(look: Callable[[float, float], Any], interval: float) -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.is_set():
        started = time.monotonic()
        look(time.time(), started)
        ended.wait(max(0.0, interval - (time.monotonic() - started)))


def _asker(server: str, timeout: float) -> Callable[[], Sequence[ModelVersion]]:
    try:
        client = RecommenderClient(server, timeout=timeout)
    except ClientError as error:
        raise UserError(str(error)) from error
    return client.models


def _roller_back(models: Path | None) -> Callable[[], str]:
    """Returns what takes the newest version back, each newest version once.

    Raises:
        UserError: if there is no models folder to act on.
    """
    from tfrec.updating.rollback import RollBackOnce

    if models is None:
        raise UserError(
            "a rule has `action: roll_back`, which needs the models folder; name it with --models"
        )
    return RollBackOnce(models)


def _reference_reader(models: Path) -> Callable[[], Any]:
    """Returns what reads the reference of the newest version, each version once."""
    from tfrec.monitoring.drift.reference import Reference

    read: dict[Path, Reference | None] = {}

    def newest() -> Reference | None:
        folder = models / "retrieval"
        versions = versions_of(folder) if folder.is_dir() else {}
        if not versions:
            raise UserError(f"there is no retrieval model in {models}, so no drift is measured")
        path = versions[max(versions)]
        if path not in read:
            found = Reference.open(path)
            read.clear()
            read[path] = found
        return read[path]

    return newest


def _show(figures: dict[str, float], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures, indent=2, allow_nan=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", box=box.SIMPLE_HEAD)
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:.6g}")
    Console().print(table)


if __name__ == "__main__":
    run(command)
