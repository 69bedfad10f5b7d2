"""Loads a server with 80 % of what it can do for ten minutes: errors, latency, memory.

Run: ``python -m benchmarks.serving_soak --models DIR --histories FILE``
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.serving_setup import BATCHING, Server, benchmark, numbers, served
from serving.loadtest.shoppers import read_shoppers
from serving.loadtest.summary import percentile

CAPACITY_CLIENTS = 16
SHARE = 0.8
MIX = {"recommend": 0.8, "similar": 0.1, "search": 0.05, "rank": 0.05}
PARTS = 10


def measure(models: Path, histories: Path, *, quick: bool) -> dict[str, Any]:
    """Returns errors, latencies and the server's memory by tenths of the test."""
    shoppers = read_shoppers(histories)
    seconds = 20.0 if quick else 600.0
    with served(models, BATCHING) as server:
        calls = server.target.prepare(shoppers, MIX)
        capacity = server.by_clients(calls, CAPACITY_CLIENTS, seconds / 20).throughput
        with _watched_memory(server, every_seconds=seconds / 100) as memory:
            summary = server.at_rate(calls, SHARE * capacity, seconds)
    tenth = max(1, len(memory) // PARTS)
    return {
        "mix": MIX,
        "capacity": round(capacity, 1),
        "rate": round(SHARE * capacity, 1),
        "seconds": seconds,
        "requests": summary.total.requests,
        "errors": summary.total.errors,
        "codes": dict(summary.total.codes),
        **numbers(summary.total.latency),
        "generator_late_p99": round(summary.late_p99, 2),
        "p99_by_second": [round(row["p99"], 1) for row in summary.timeline],
        "memory_mib": [
            round(max(memory[start : start + tenth]), 1) for start in range(0, len(memory), tenth)
        ],
    }


@contextlib.contextmanager
def _watched_memory(server: Server, every_seconds: float) -> Iterator[list[float]]:
    """Yields a list that the server's memory is added to while the block runs."""
    stop, seen = threading.Event(), [server.memory]

    def watch() -> None:
        while not stop.wait(every_seconds):
            seen.append(server.memory)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    table = Table("what", "measured", title="80 % of capacity", title_justify="left")
    mix = ", ".join(f"{share:.0%} {kind}" for kind, share in result["mix"].items())
    memory = result["memory_mib"]
    table.add_row("mix", mix)
    table.add_row("capacity", f"{result['capacity']:.0f} results/s, {CAPACITY_CLIENTS} clients")
    table.add_row("load", f"{result['rate']:.0f} requests/s for {result['seconds']:.0f} s, Poisson")
    table.add_row("requests, errors", f"{result['requests']}, {result['errors']}")
    table.add_row(
        "latency",
        ", ".join(f"{name} {result[name]:.1f} ms" for name in ("p50", "p90", "p99", "max")),
    )
    worst = percentile(sorted(result["p99_by_second"]), 99.0)
    table.add_row("p99 within one second", f"{worst:.1f} ms in the worst 1 % of the seconds")
    table.add_row("memory by tenths, MiB", " ".join(f"{one:.0f}" for one in memory))
    return table


if __name__ == "__main__":
    benchmark(measure, table)()
