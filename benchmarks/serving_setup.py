"""What the benchmarks of serving share: options, a server to measure, how results are printed."""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console, RenderableType

from serving.client.connection import Settings
from serving.loadtest.arrivals import due_times
from serving.loadtest.loops import PreparedCall, closed_loop, open_loop
from serving.loadtest.shoppers import Shopper
from serving.loadtest.summary import Latency, Summary, summarise
from serving.loadtest.target import Target
from serving.model_folder import find_models, versions_of
from serving.process import ServerProcess, start_server

DEPLOY = Path(__file__).parents[1] / "serving" / "deploy"
# As the deployment starts its servers.
BATCHING = (
    "--enable_batching=true",
    f"--batching_parameters_file={DEPLOY / 'batching_parameters.txt'}",
)
MONITORING = (f"--monitoring_config_file={DEPLOY / 'monitoring.config'}",)
MODES: dict[str, tuple[str, ...]] = {"one by one": (), "batching": BATCHING}
WARMUP_SECONDS = 2.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Server:
    """A server to measure, its models folder, and a connection that loads it."""

    models: Path
    process: ServerProcess
    target: Target
    start_seconds: float

    @property
    def memory(self) -> float:
        """MiB that the server occupies."""
        return psutil.Process(self.process.process.pid).memory_info().rss / MEBIBYTE

    def at_rate(self, calls: Sequence[PreparedCall], rate: float, seconds: float) -> Summary:
        """Measures an open loop with Poisson arrivals, after a short warm-up."""
        due = due_times(rate, WARMUP_SECONDS + seconds, "poisson", 0)
        return summarise(open_loop(self.target.send, calls, due), since=WARMUP_SECONDS)

    def by_clients(self, calls: Sequence[PreparedCall], clients: int, seconds: float) -> Summary:
        """Measures a closed loop, after a short warm-up."""
        samples = closed_loop(self.target.send, calls, WARMUP_SECONDS + seconds, clients=clients)
        return summarise(samples, since=WARMUP_SECONDS)

    def calls(self, shoppers: Sequence[Shopper], kind: str = "recommend") -> list[PreparedCall]:
        """Returns requests of one kind by these shoppers."""
        return self.target.prepare(shoppers, {kind: 1.0})


@contextlib.contextmanager
def served(
    models: Path, flags: Sequence[str] = (), rest_port: int | None = None
) -> Iterator[Server]:
    """Serves a copy of the newest version of every model, on the two ports' free numbers."""
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        copy = copy_newest(models, Path(scratch) / "models")
        start = time.perf_counter()
        with (
            start_server(copy, flags=flags, rest_port=rest_port) as process,
            Target(Settings(process.address, retries=0)) as target,
        ):
            yield Server(copy, process, target, time.perf_counter() - start)


def copy_newest(models: Path, target: Path) -> Path:
    """Copies the newest version of every model, as version 1, and returns `target`."""
    for model in find_models(models):
        newest = versions_of(model.path)[model.versions[0]]
        shutil.copytree(newest, target / model.name / "1")
    return target


def benchmark_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that every benchmark of serving has."""
    path = click.Path(exists=True, path_type=Path)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table."),
        click.option("--quick", is_flag=True, help="Seconds instead of minutes: for a first look."),
        click.option("--histories", type=path, required=True, help="From `tfrec data histories`."),
        click.option("--models", type=path, required=True, help="From `tfrec export`."),
    ):
        function = option(function)
    return function


def benchmark(measure: Callable[..., Any], table: Callable[[Any], RenderableType]) -> click.Command:
    """Returns the command of a benchmark of serving.

    Args:
        measure: measures; called with models, histories and whether it is to be quick.
        table: makes its result readable.
    """

    @click.command()
    @benchmark_options
    def main(models: Path, histories: Path, quick: bool, as_json: bool) -> None:
        result = measure(models, histories, quick=quick)
        show(result, table(result), as_json)

    return main


def numbers(latency: Latency) -> dict[str, float]:
    """Returns milliseconds by name, to a hundredth."""
    return {name: round(value, 2) for name, value in asdict(latency).items()}


def show(result: Any, table: RenderableType, as_json: bool) -> None:
    """Prints a result for machines or for people."""
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        Console().print(table)
