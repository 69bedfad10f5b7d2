"""Measures `tfrec data prepare` on a seeded log of a million events.

Run: ``python -m benchmarks.prepare_data [--events 1000000]``
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

SECONDS_GOAL = 60
GIBIBYTES_GOAL = 3


def synthetic_shop(num_events: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns a log and a catalogue: Zipf popularity, a year of time, a few faults."""
    random = np.random.default_rng(seed)
    num_users, num_items = max(10, num_events // 10), max(10, num_events // 20)
    popularity = 1.0 / np.arange(1, num_items + 1) ** 0.9
    item = random.choice(num_items, num_events, p=popularity / popularity.sum())
    user = (num_users * random.power(0.6, num_events)).astype(int)
    start = np.datetime64("2024-01-01", "s")
    events = pd.DataFrame(
        {
            "user_id": pd.Series(user).map("shopper-{:07d}".format),
            "item_id": pd.Series(item).map("sku-{:06d}".format),
            "timestamp": start + random.integers(0, 365 * 86_400, num_events).astype("m8[s]"),
            "event": random.choice(
                ["view", "cart", "purchase", "return"], num_events, p=[0.7, 0.15, 0.13, 0.02]
            ),
            "quantity": random.integers(1, 5, num_events),
            "price": np.round(random.lognormal(2, 1, num_events), 2),
            "device": random.choice(["phone", "desktop", "tablet"], num_events),
        }
    )
    faulty = random.choice(num_events, num_events // 200, replace=False)
    events.loc[faulty, "user_id"] = None
    words = ["red", "blue", "cotton", "steel", "lamp", "dress", "cable", "mug", "garden", "box"]
    items = pd.DataFrame(
        {
            "item_id": [f"sku-{i:06d}" for i in range(num_items)],
            "title": [" ".join(row) for row in random.choice(words, (num_items, 5))],
            "brand": random.choice([f"brand {i}" for i in range(200)], num_items),
            "price": np.round(random.lognormal(2, 1, num_items), 2),
        }
    )
    return events, items


def measure(events: Path, items: Path, out: Path, config: Path) -> tuple[float, float]:
    """Runs the command in a process of its own; returns seconds and peak GiB resident."""
    arguments = ["--events", events, "--items", items, "--out", out, "--config", config]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.data_prepare", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
    )
    # wait4, because the usage of all children together would hide a smaller second one.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"prepare failed with exit code {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 2**20


@click.command()
@click.option("--events", "num_events", default=1_000_000, show_default=True)
@click.option("--seed", default=42, show_default=True)
def main(num_events: int, seed: int) -> None:
    """Measure wall time and peak memory for CSV and Parquet."""
    table = Table(title=f"tfrec data prepare, {num_events:,} events, from process start to exit")
    for name in ("format", "input MB", "seconds", "peak GiB", "within the goal"):
        table.add_column(name, justify="left" if name == "format" else "right")
    with tempfile.TemporaryDirectory(prefix="tfrec-benchmark-") as name:
        folder = Path(name)
        events, items = synthetic_shop(num_events, seed)
        config = folder / "config.yaml"
        config.write_text("data: {context_columns: [device], duplicates: reject}\n")
        items.to_parquet(folder / "items.parquet", index=False)
        events.to_csv(folder / "events.csv", index=False)
        events.to_parquet(folder / "events.parquet", index=False)
        del events, items
        for kind in ("csv", "parquet"):
            source = folder / f"events.{kind}"
            seconds, gibibytes = measure(
                source, folder / "items.parquet", folder / f"out-{kind}", config
            )
            good = seconds < SECONDS_GOAL and gibibytes < GIBIBYTES_GOAL
            table.add_row(
                kind,
                f"{source.stat().st_size / 1e6:.0f}",
                f"{seconds:.1f}",
                f"{gibibytes:.2f}",
                "yes" if good else "no",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
