"""Trains and evaluates both models on a data set with several seeds, and says what it took.

    python -m benchmarks.quality --events EVENTS --items ITEMS --config YAML --out DIR \
        [--seed 42 --seed 43 --seed 44]

The commands it runs are those of the README; it adds the clock, the memory and the means over
seeds. What a stopped run had finished is kept. The test split is looked at once a seed.
"""

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.table import Table

from pipelines.console import table_console
from pipelines.peak_memory import PeakMemory
from tfrec.config import load_config
from tfrec.files import read_json, write_json

BASELINE = "item_knn"
TRAINED = ("retrieval", "retrieval+ranking")
SLICES = {"all shoppers": None, "history of 1-2": "history 1-2"}


@click.command()
@click.option("--events", required=True, help="Event log.")
@click.option("--items", required=True, help="Its catalogue.")
@click.option("--config", required=True, help="Configuration, such as configs/amazon_beauty.yaml.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the runs.")
@click.option("--seed", "seeds", multiple=True, type=int, default=(42, 43, 44), show_default=True)
@click.option("--at", default=10, show_default=True, help="Cutoff of the metrics.")
def main(events: str, items: str, config: str, out: Path, seeds: tuple[int, ...], at: int) -> None:
    """Prepare once; train retrieval and ranking and evaluate on the test split for each seed."""
    out.mkdir(parents=True, exist_ok=True)
    costs: list[dict[str, Any]] = []
    data = out / "data"
    step(
        out / "prepare.json",
        *("data", "prepare", "--events", events, "--items", items, "--out", str(data)),
        *("--config", config),
    )
    modes = [load_config(config).evaluation.repeats]
    if modes == ["count"]:
        modes.append("exclude")
    for seed in seeds:
        folder = out / f"seed-{seed}"
        run = folder / "run"
        train = ["--data", str(data), "--out", str(run), "--config", config, "--seed", str(seed)]
        folder.mkdir(exist_ok=True)
        for model in ("retrieval", "ranking"):
            cost = step(folder / f"{model}.json", "train", model, *train)
            costs.append({"seed": seed, "step": f"train {model}", **cost})
        for mode in modes:
            figures = folder / f"test-{mode}.json"
            cost = step(
                folder / f"evaluate-{mode}.json",
                *("evaluate", "--run", str(run), "--split", "test", "--repeats", mode),
                *("--json", str(figures)),
            )
            costs.append({"seed": seed, "step": f"evaluate ({mode})", **cost})
    console = table_console()
    summary: dict[str, Any] = {"config": config, "seeds": list(seeds), "costs": costs}
    for mode in modes:
        found = [read_json(out / f"seed-{seed}" / f"test-{mode}.json") for seed in seeds]
        summary[mode] = summarise(found, at)
        console.print(table_of(summary[mode], f"{config}, repeats: {mode}", at))
    console.print(cost_table(costs))
    write_json(out / "summary.json", summary)


def step(record: Path, *words: str) -> dict[str, float]:
    """Runs a command of tfrec unless its record says that it was done; returns what it took."""
    if record.exists():
        return read_json(record)
    started = time.monotonic()
    with PeakMemory() as memory:
        subprocess.run([sys.executable, "-m", "pipelines.cli", *words], check=True)
    cost = {"seconds": time.monotonic() - started, "peak_gib": memory.peak / 2**30}
    write_json(record, cost)
    return cost


def summarise(found: list[dict[str, Any]], at: int) -> dict[str, Any]:
    """Returns mean, deviation and ratio to ItemKNN of each model and metric.

    Args:
        found: the figures of each seed, from `tfrec evaluate --json`.
        at: cutoff.
    """
    result: dict[str, Any] = {}
    for part, name in SLICES.items():
        for metric in (f"recall@{at}", f"ndcg@{at}"):
            row: dict[str, Any] = {}
            for model in found[0]:
                values = [one for one in _values(found, model, name, metric) if one is not None]
                if values:
                    row[model] = {
                        "mean": float(np.mean(values)),
                        # Baselines have no seed.
                        "deviation": float(np.std(values, ddof=1))
                        if model in TRAINED and len(values) > 1
                        else None,
                    }
            base = row.get(BASELINE, {}).get("mean", 0.0)
            for one in row.values():
                one["ratio"] = one["mean"] / base if base else math.nan
            if row:
                result[f"{part}: {metric}"] = row
    return result


def _values(
    found: list[dict[str, Any]], model: str, name: str | None, metric: str
) -> Iterator[float | None]:
    for figures in found:
        part = figures[model] if name is None else figures[model]["slices"].get(name, {})
        yield part.get(metric)


def table_of(rows: dict[str, Any], title: str, at: int) -> Table:
    """Returns the means for people, each with its ratio to ItemKNN."""
    models = list(dict.fromkeys(model for row in rows.values() for model in row))
    table = Table(
        title=title,
        caption=f"mean ± standard deviation over seeds (times {BASELINE}), cutoff {at}",
    )
    table.add_column("", no_wrap=True)
    for model in models:
        table.add_column(model, justify="right")
    for name, row in rows.items():
        cells = []
        for model in models:
            one = row.get(model)
            spread = f" ± {one['deviation']:.4f}" if one and one["deviation"] is not None else ""
            cells.append(f"{one['mean']:.4f}{spread} ({one['ratio']:.2f}x)" if one else "")
        table.add_row(name, *cells)
    return table


def cost_table(costs: list[dict[str, Any]]) -> Table:
    """Returns time and memory of each step."""
    table = Table("step", "median minutes", "most GiB", title="What a seed takes")
    for name in dict.fromkeys(cost["step"] for cost in costs):
        own = [cost for cost in costs if cost["step"] == name]
        minutes = float(np.median([cost["seconds"] for cost in own])) / 60
        table.add_row(name, f"{minutes:.1f}", f"{max(cost['peak_gib'] for cost in own):.1f}")
    return table


if __name__ == "__main__":
    main()
