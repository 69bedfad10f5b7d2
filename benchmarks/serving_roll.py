"""Changes a served model's version again and again under load, and says what visitors notice.

Run: ``python -m benchmarks.serving_roll --models DIR --histories FILE``
"""

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from benchmarks.rolling import FLAGS, Roll, roll
from benchmarks.serving_setup import benchmark_options, copy_newest, numbers, show
from benchmarks.version_roll import NEW
from serving.client.connection import Settings
from serving.loadtest.arrivals import due_times
from serving.loadtest.loops import open_loop
from serving.loadtest.shoppers import read_shoppers
from serving.loadtest.summary import OK, latency_of, percentile
from serving.loadtest.target import Target
from serving.process import start_server

MODEL = "recommender"
RATE = 50.0
CHANGES, QUICK_CHANGES = 100, 10
CALM_SECONDS, REST_SECONDS = 20.0, 1.0
FOREVER = 1e9


def measure(models: Path, histories: Path, *, quick: bool, rate: float = RATE) -> dict[str, Any]:
    """Rolls the recommender of a copy of `models` while `rate` requests a second ask it."""
    shoppers = read_shoppers(histories)
    changes = QUICK_CHANGES if quick else CHANGES
    with tempfile.TemporaryDirectory(prefix="roll-") as scratch:
        folder = copy_newest(models, Path(scratch) / "models") / MODEL
        (source,) = folder.iterdir()
        # Out of the way of the versions that come and go.
        kept = Path(scratch) / "source"
        shutil.copytree(source, kept)
        with (
            start_server(folder.parent, flags=FLAGS) as server,
            Target(Settings(server.address, retries=0)) as target,
        ):
            calls = target.prepare(shoppers, {"recommend": 1.0})
            # A server that has just started is slower than one between two releases.
            open_loop(target.send, calls, due_times(rate, 5.0, "constant", 0))
            seen = roll(
                server,
                folder,
                [kept],
                lambda stop, observe: open_loop(
                    target.send,
                    calls,
                    due_times(rate, FOREVER, "poisson", 0),
                    stop=stop,
                    observe=observe,
                ),
                changes=changes,
                calm_seconds=CALM_SECONDS,
                rest_seconds=REST_SECONDS,
            )
    return _result(seen, rate)


def _result(seen: Roll, rate: float) -> dict[str, Any]:
    before, during = latency_of(seen.before), latency_of(seen.during)
    samples = seen.before + seen.during
    errors = Counter(sample.code for sample in samples if sample.code != OK)
    above = sum(sample.latency * 1e3 > 3 * before.p99 for sample in seen.during)
    waits = sorted(
        seconds
        for change, seconds in zip(
            (change for change in seen.made if change.other), seen.seconds, strict=False
        )
        if change.what == NEW
    )
    return {
        "changes": dict(Counter(change.what for change in seen.made)),
        "rate": rate,
        "requests": len(samples),
        "errors": dict(errors),
        "faults": seen.faults,
        "status_lists": seen.lists,
        "rename_to_first_answer_seconds": {
            "median": percentile(waits, 50.0),
            "max": percentile(waits, 100.0),
        },
        "latency_before_ms": numbers(before),
        "latency_during_ms": numbers(during),
        "p99_ratio": during.p99 / before.p99,
        "max_over_p99_before": during.max / before.p99,
        "requests_above_3_p99": above,
        "requests_during": len(seen.during),
        "memory_mib": [round(one, 1) for one in seen.memory],
    }


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    before, during = result["latency_before_ms"], result["latency_during_ms"]
    waits, memory = result["rename_to_first_answer_seconds"], result["memory_mib"]
    made = ", ".join(f"{count} {what}" for what, count in result["changes"].items())
    table = Table("what", "measured", title="Version roll under load", title_justify="left")
    table.add_row("changes", made)
    table.add_row("load", f"{result['rate']:g} requests/s, {result['requests']} in all")
    table.add_row("failed requests", str(sum(result["errors"].values())))
    table.add_row("status lists", f"{result['status_lists']}, {len(result['faults'])} wrong")
    table.add_row(
        "rename to first answer", f"median {waits['median']:.2f} s, max {waits['max']:.2f} s"
    )
    for name, latency in (("before", before), ("during", during)):
        table.add_row(
            f"latency {name}",
            f"p50 {latency['p50']:.1f}, p99 {latency['p99']:.1f}, max {latency['max']:.1f} ms",
        )
    table.add_row("p99 during / before", f"{result['p99_ratio']:.2f}")
    table.add_row(
        "requests above 3 x p99 before",
        f"{result['requests_above_3_p99']} of {result['requests_during']}",
    )
    table.add_row(
        "memory",
        f"{memory[0]:.0f} MiB at the start, {memory[len(memory) // 2]:.0f} halfway, "
        f"{memory[-1]:.0f} at the end, {max(memory):.0f} at most",
    )
    return table


@click.command()
@benchmark_options
@click.option("--rate", default=RATE, show_default=True, help="Requests a second.")
def main(models: Path, histories: Path, quick: bool, as_json: bool, rate: float) -> None:
    result = measure(models, histories, quick=quick, rate=rate)
    show(result, table(result), as_json)


if __name__ == "__main__":
    main()
