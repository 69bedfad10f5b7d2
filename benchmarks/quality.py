"""Trains and evaluates both models on a data set with several seeds, and says what it took.

    python -m benchmarks.quality --events EVENTS --items ITEMS --config YAML --out DIR \
        [--seed 42 --seed 43 --seed 44]

The commands it runs are those of the README; it adds the clock, the memory and the means over
seeds. What a stopped run had finished is kept. The test split is looked at once a seed.
`benchmarks.quality_plots --quality DIR` draws what is found.
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

from benchmarks.machine import machine
from benchmarks.measuring import processor_seconds
from pipelines.console import table_console
from pipelines.peak_memory import PeakMemory
from tfrec.config import dump_config, load_config
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
    write_once(out / "config.yaml", dump_config(load_config(config)))
    data = out / "data"
    cost = step(
        out / "prepare.json",
        *("data", "prepare", "--events", events, "--items", items, "--out", str(data)),
        *("--config", config),
    )
    costs: list[dict[str, Any]] = [{"seed": None, "step": "data prepare (once)", **cost}]
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
            for split in ("valid", "test"):
                cost = step(
                    folder / f"evaluate-{split}-{mode}.json",
                    *("evaluate", "--run", str(run), "--split", split, "--repeats", mode),
                    *("--json", str(folder / f"{split}-{mode}.json")),
                    *("--ranks", str(folder / f"{split}-{mode}.parquet")),
                )
                costs.append({"seed": seed, "step": f"evaluate {split} ({mode})", **cost})
    console = table_console()
    summary: dict[str, Any] = {
        "config": config,
        "seeds": list(seeds),
        "machine": machine(),
        "costs": costs,
    }
    for mode in modes:
        found = [read_json(out / f"seed-{seed}" / f"test-{mode}.json") for seed in seeds]
        summary[mode] = summarise(found, at)
        console.print(table_of(summary[mode], f"{config}, test, repeats: {mode}", seeds, at))
    console.print(cost_table(costs, summary["machine"]))
    write_json(out / "summary.json", summary)


def write_once(path: Path, settings: str) -> None:
    """Writes the configuration of what is measured, or refuses another than there was.

    Raises:
        UsageError: if the file says something else: old figures would be taken for new ones.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text(encoding="utf-8") != settings:
        raise click.UsageError(
            f"{path} says with which settings the figures beside it were measured, and those of "
            "now are others; give another folder with --out, or remove this one"
        )
    path.write_text(settings, encoding="utf-8")


def step(record: Path, *words: str) -> dict[str, float]:
    """Runs a command of tfrec unless its record says that it was done; returns what it took."""
    if record.exists():
        return read_json(record)
    started, processor = time.monotonic(), processor_seconds()
    with PeakMemory() as memory:
        subprocess.run([sys.executable, "-m", "pipelines.cli", *words], check=True)
    cost = {
        "seconds": time.monotonic() - started,
        "processor_seconds": processor_seconds() - processor,
        "peak_gib": memory.peak / 2**30,
    }
    write_json(record, cost)
    return cost


def summarise(found: list[dict[str, Any]], at: int) -> dict[str, Any]:
    """Returns what to say of each model and metric.

    `mean` and `deviation` are those over seeds, `half` is half of the 95 % bootstrap interval over
    shoppers (the seeds' mean), and `ratio` is the mean over that of ItemKNN.

    Args:
        found: the figures of each seed, from `tfrec evaluate --json`.
        at: cutoff.
    """
    result: dict[str, Any] = {}
    for part, name in SLICES.items():
        for metric in (f"recall@{at}", f"ndcg@{at}"):
            row: dict[str, Any] = {}
            for model in found[0]:
                values, low, high = (
                    [one for one in _values(found, model, name, key) if one is not None]
                    for key in (metric, f"{metric}_low", f"{metric}_high")
                )
                if values:
                    row[model] = {
                        "mean": float(np.mean(values)),
                        "half": float(np.mean(high) - np.mean(low)) / 2,
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


def table_of(rows: dict[str, Any], title: str, seeds: tuple[int, ...], at: int) -> Table:
    """Returns the means for people, each with its interval, deviation and ratio to ItemKNN."""
    models = list(dict.fromkeys(model for row in rows.values() for model in row))
    table = Table(
        title=title,
        caption=f"mean over the seeds {', '.join(map(str, seeds))} ± half of the 95 % bootstrap "
        f"interval over shoppers, sd over the seeds (times {BASELINE}), cutoff {at}",
    )
    table.add_column("", no_wrap=True)
    for model in models:
        table.add_column(model, justify="right")
    for name, row in rows.items():
        cells = []
        for model in models:
            if model not in row:
                cells.append("")
                continue
            one = row[model]
            spread = "" if one["deviation"] is None else f" sd {one['deviation']:.4f}"
            cells.append(f"{one['mean']:.4f} ±{one['half']:.4f}{spread} ({one['ratio']:.2f}x)")
        table.add_row(name, *cells)
    return table


def cost_table(costs: list[dict[str, Any]], where: str) -> Table:
    """Returns time and memory of each step.

    Args:
        costs: of each step and seed.
        where: the machine.
    """
    table = Table(
        *("step", "median minutes", "of processor time", "most GiB"),
        title="what a seed takes",
        caption=where,
    )
    for name in dict.fromkeys(cost["step"] for cost in costs):
        own = [cost for cost in costs if cost["step"] == name]
        minutes, processor = (
            # What an earlier version of this file had measured has no processor time.
            float(np.median([cost.get(key, math.nan) for cost in own])) / 60
            for key in ("seconds", "processor_seconds")
        )
        memory = max(cost["peak_gib"] for cost in own)
        table.add_row(name, f"{minutes:.1f}", f"{processor:.1f}", f"{memory:.1f}")
    return table


if __name__ == "__main__":
    main()
