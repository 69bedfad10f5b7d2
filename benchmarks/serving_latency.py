"""Measures the embedded server on exported models: start, latency, throughput, memory, reload.

Run: ``python -m benchmarks.serving_latency --models DIR``
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
import psutil
from rich.console import Console
from rich.table import Table

from serving import tensors, wire
from serving.client import RECOMMENDER, SERVING_DEFAULT, RecommenderClient
from serving.model_folder import find_models, versions_of
from serving.process import start_server
from serving.server.predict import predict
from serving.server.servable import Servable

HISTORY = 10
LOAD_SECONDS = 5.0


def latency(call: Callable[[], object], requests: int) -> str:
    """Returns median and 99th percentile of a call, in milliseconds."""
    for _ in range(20):
        call()
    milliseconds = []
    for _ in range(requests):
        start = time.perf_counter()
        call()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    percentiles = statistics.quantiles(milliseconds, n=100)
    return f"p50 {percentiles[49]:.2f} ms, p99 {percentiles[98]:.2f} ms"


def throughput(call: Callable[[], object], clients: int) -> str:
    """Returns the rate at which `clients` threads, each asking again at once, are answered."""
    answered = [0] * clients
    end = time.perf_counter() + LOAD_SECONDS

    def ask(number: int) -> None:
        while time.perf_counter() < end:
            call()
            answered[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{sum(answered) / LOAD_SECONDS:.0f} requests/s"


def in_process(models: Path, history: list[str]) -> Callable[[], object]:
    """Returns a call of the recommender in this process, by the same C++ session."""
    versions = versions_of(models / RECOMMENDER)
    servable = Servable.load(RECOMMENDER, max(versions), versions[max(versions)])
    shape = [1, len(history)]
    rows = {
        "history_item_id": tensors.make(tensors.DT_STRING, shape, history),
        "history_event": tensors.make(tensors.DT_STRING, shape, [""] * len(history)),
        "history_timestamp": tensors.make(tensors.DT_INT64, shape, [0] * len(history)),
        "exclude_item_id": tensors.make(tensors.DT_STRING, [1, 1], [""]),
    }
    request = wire.PredictRequest()
    for alias in servable.session.signatures[SERVING_DEFAULT].inputs:
        context = tensors.make(tensors.DT_STRING, [1], [""])
        request.inputs[alias].CopyFrom(rows.get(alias, context))
    return lambda: predict(servable, request)


def reload_seconds(models: Path, client: RecommenderClient) -> float:
    """Publishes a copy of the recommender as a new version; returns when it answers."""
    versions = versions_of(models / RECOMMENDER)
    newest = max(versions)
    part = models / ".part"
    shutil.copytree(versions[newest], part)
    part.rename(models / RECOMMENDER / str(newest + 1))
    start = time.perf_counter()
    while client.models([RECOMMENDER])[0].version != newest + 1 or (
        client.models([RECOMMENDER])[0].state != "available"
    ):
        time.sleep(0.01)
    return time.perf_counter() - start


@click.command()
@click.option("--models", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--requests", type=int, default=500, show_default=True)
def main(models: Path, requests: int) -> None:
    """Measure the embedded server on the models in a folder that `tfrec export` wrote."""
    table = Table(title="Embedded model server", title_justify="left")
    table.add_column("what")
    table.add_column("measured")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "models"
        for model in find_models(models):
            newest = str(model.versions[0])
            shutil.copytree(versions_of(model.path)[model.versions[0]], copy / model.name / newest)
        start = time.perf_counter()
        with start_server(copy) as server, RecommenderClient(server.address) as client:
            table.add_row("start until ready", f"{time.perf_counter() - start:.2f} s")
            history = [item.item_id for item in client.recommend([], k=HISTORY)]
            rows: list[tuple[str, Callable[[], object]]] = [
                ("same SavedModel, in process", in_process(copy, history)),
                ("recommend", lambda: client.recommend(history, titles=False)),
                ("recommend, with titles", lambda: client.recommend(history)),
                ("similar", lambda: client.similar(history[0], titles=False)),
                ("search", lambda: client.search("red lamp", titles=False)),
            ]
            for name, call in rows:
                table.add_row(name, latency(call, requests))
            for clients in (1, 4, 16):
                table.add_row(f"recommend, {clients} clients", throughput(rows[1][1], clients))
            table.add_row("new version answers after", f"{reload_seconds(copy, client):.2f} s")
            memory = psutil.Process(server.process.pid).memory_info().rss / 2**20
            table.add_row("memory of the server", f"{memory:.0f} MiB")
    Console().print(table)


if __name__ == "__main__":
    main()
