"""Measures a server on exported models: start, latency, throughput, memory, cost of serving.

Run: ``python -m benchmarks.serving_latency --models DIR --histories FILE``
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.serving_setup import (
    MODES,
    Server,
    benchmark,
    copy_newest,
    numbers,
    served,
)
from serving.loadtest.mix import KINDS
from serving.loadtest.shoppers import read_shoppers
from serving.loadtest.summary import percentile

RATE = 50.0
CLIENTS = (1, 4, 16, 32)
LATENCIES = ("p50", "p90", "p99", "p99_9")


def measure(models: Path, histories: Path, *, quick: bool) -> dict[str, Any]:
    """Returns what one server does, without and with batching, and the model in process."""
    shoppers = read_shoppers(histories)
    seconds = 4.0 if quick else 30.0
    result: dict[str, Any] = {"rate": RATE}
    for mode, flags in MODES.items():
        with served(models, flags) as server:
            calls = server.calls(shoppers)
            result[mode] = {
                "start_seconds": server.start_seconds,
                "at_rate": _row(server, "recommend", shoppers, seconds),
                "clients": {},
            }
            for clients in CLIENTS:
                summary = server.by_clients(calls, clients, seconds)
                result[mode]["clients"][clients] = {
                    "per_second": round(summary.throughput, 1),
                    "errors": summary.total.errors,
                    **numbers(summary.total.latency),
                }
            if mode == next(iter(MODES)):
                result["kinds"] = {kind: _row(server, kind, shoppers, seconds) for kind in KINDS}
            result[mode]["memory_mib"] = round(server.memory, 1)
            requests = [call.request for call in calls[: 100 if quick else 1000]]
    result["in_process"] = in_process(models, requests)
    alone = result["one by one"]["clients"][1]
    result["ratio_to_in_process"] = {
        name: round(alone[name] / result["in_process"][name], 2) for name in ("p50", "mean")
    }
    return result


def in_process(models: Path, requests: list[bytes]) -> dict[str, float]:
    """Returns latencies of the same requests to the SavedModel in this process, in milliseconds."""
    from benchmarks.serving_in_process import InProcess

    with tempfile.TemporaryDirectory() as scratch:
        model = InProcess(copy_newest(models, Path(scratch)) / "recommender" / "1")
        taken = []
        # The first round warms up: TensorFlow prepares a graph when it runs it first.
        for counts in (False, True):
            for request in requests:
                feeds = model.feeds(request)
                start = time.perf_counter()
                model.call(feeds)
                if counts:
                    taken.append((time.perf_counter() - start) * 1e3)
        model.close()
    ordered = sorted(taken)
    return {
        "p50": round(percentile(ordered, 50.0), 2),
        "p99": round(percentile(ordered, 99.0), 2),
        "mean": round(sum(ordered) / len(ordered), 2),
    }


def _row(server: Server, kind: str, shoppers: list[Any], seconds: float) -> dict[str, Any]:
    summary = server.at_rate(server.calls(shoppers, kind), RATE, seconds)
    return {
        "requests": summary.total.requests,
        "errors": summary.total.errors,
        "generator_late_p99": round(summary.late_p99, 2),
        **numbers(summary.total.latency),
    }


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    table = Table(title="Latency and throughput", title_justify="left")
    table.add_column("what")
    for name in ("results/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "errors"):
        table.add_column(name, justify="right")

    def add(what: str, per_second: str, row: dict[str, Any]) -> None:
        cells = (f"{row[name]:.1f}" if name in row else "" for name in LATENCIES)
        table.add_row(what, per_second, *cells, str(row.get("errors", "")))

    rate = f"{result['rate']:g}"
    for kind, row in result["kinds"].items():
        add(f"{kind}, Poisson arrivals", rate, row)
    for mode in MODES:
        table.add_section()
        add(f"{mode}: recommend, Poisson arrivals", rate, result[mode]["at_rate"])
        for clients, row in result[mode]["clients"].items():
            add(f"{mode}: {clients} clients", f"{row['per_second']:.0f}", row)
    table.add_section()
    add("same SavedModel in process", "", result["in_process"])
    table.add_row("one client / in process, p50", f"{result['ratio_to_in_process']['p50']:.2f}")
    for mode in MODES:
        table.add_row(f"{mode}: start until ready", f"{result[mode]['start_seconds']:.1f} s")
        table.add_row(f"{mode}: memory of the server", f"{result[mode]['memory_mib']:.0f} MiB")
    return table


if __name__ == "__main__":
    benchmark(measure, table)()
