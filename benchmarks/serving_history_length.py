"""Measures what a history's length costs, and whether padding or batching makes short ones dear.

Run: ``python -m benchmarks.serving_history_length --models DIR --histories FILE``
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.serving_setup import BATCHING, Server, benchmark, numbers, served
from serving.loadtest.shoppers import Shopper, read_shoppers

LENGTHS = (1, 2, 5, 10, 20, 50, 100)
PADDED_TO = 100
SHORT = 5
CLIENTS = 16


def measure(models: Path, histories: Path, *, quick: bool) -> dict[str, Any]:
    """Returns latencies of one client by length, and throughput of many with batching."""
    shoppers = read_shoppers(histories)
    seconds = 2.0 if quick else 15.0
    result: dict[str, Any] = {"lengths": {}, "padded": {}, "batching": {}}
    with served(models) as server:
        for length in LENGTHS:
            # The latest events of shoppers with at least as many, so that all are real.
            those = [one.latest(length) for one in shoppers if len(one.history) >= length]
            if those:
                result["lengths"][length] = _alone(server, those, seconds)
        shorts = [one for one in shoppers if 1 <= len(one.history) <= SHORT]
        result["padded"][f"{SHORT} events at most"] = _alone(server, shorts, seconds)
        padded = [_pad(one) for one in shorts]
        result["padded"][f"the same, padded to {PADDED_TO}"] = _alone(server, padded, seconds)
    longest = max(length for length in LENGTHS if length in result["lengths"])
    longs = [one.latest(longest) for one in shoppers if len(one.history) >= longest]
    with served(models, BATCHING) as server:
        short, long = server.calls(shorts), server.calls(longs)
        # One long history among eight: enough for nearly every batch to hold one.
        mixed = [long[i % len(long)] if i % 8 == 0 else call for i, call in enumerate(short)]
        for name, calls in (
            (f"{SHORT} events at most", short),
            (f"one in eight has {longest} events", mixed),
            (f"all have {longest} events", long),
        ):
            summary = server.by_clients(calls, CLIENTS, seconds)
            result["batching"][name] = {
                "per_second": round(summary.throughput, 1),
                "errors": summary.total.errors,
                **numbers(summary.total.latency),
            }
    return result


def _alone(server: Server, shoppers: Sequence[Shopper], seconds: float) -> dict[str, Any]:
    summary = server.by_clients(server.calls(shoppers), 1, seconds)
    return {"shoppers": len(shoppers), **numbers(summary.total.latency)}


def _pad(shopper: Shopper) -> Shopper:
    """Returns a history as wide as a client of fixed shapes would send it."""
    blank = ("",) * (PADDED_TO - len(shopper.history))
    zeros = (0,) * len(blank)
    return Shopper(
        shopper.history + blank,
        None if shopper.events is None else shopper.events + blank,
        None if shopper.timestamps is None else shopper.timestamps + zeros,
        shopper.context,
    )


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    table = Table(title="Cost of a history's length", title_justify="left")
    table.add_column("what")
    for name in ("shoppers", "results/s", "p50 ms", "p99 ms", "mean ms"):
        table.add_column(name, justify="right")
    rows = {f"{length} events, one client": row for length, row in result["lengths"].items()}
    for section in (rows, result["padded"], result["batching"]):
        for name, row in section.items():
            batched = "per_second" in row
            table.add_row(
                f"batching, {CLIENTS} clients: {name}" if batched else name,
                str(row.get("shoppers", "")),
                f"{row['per_second']:.0f}" if batched else "",
                *(f"{row[key]:.2f}" for key in ("p50", "p99", "mean")),
            )
        table.add_section()
    return table


if __name__ == "__main__":
    benchmark(measure, table)()
