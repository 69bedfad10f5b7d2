"""Trains and evaluates both models on a leave-one-out benchmark, and says what each step cost.

    python -m benchmarks.leave_one_out --events EVENTS --items ITEMS --config YAML --out DIR

The four commands it runs are those of the README; it only adds the clock.
"""

import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table


@click.command()
@click.option("--events", required=True, help="Event log of the benchmark.")
@click.option("--items", required=True, help="Its catalogue.")
@click.option("--config", required=True, help="Configuration, such as configs/amazon_beauty.yaml.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the run.")
@click.option("--seed", default=42, show_default=True, help="Seed of both models.")
def main(events: str, items: str, config: str, out: Path, seed: int) -> None:
    """Prepare, train retrieval and ranking, and evaluate on the test split."""
    data, run = str(out / "data"), str(out / "run")
    train = ["--data", data, "--out", run, "--config", config, "--seed", str(seed)]
    steps = {
        "prepare": [
            *["data", "prepare", "--events", events, "--items", items],
            *["--out", data, "--config", config],
        ],
        "train retrieval": ["train", "retrieval", *train],
        "train ranking": ["train", "ranking", *train],
        "evaluate": ["evaluate", "--run", run, "--split", "test", "--json", str(out / "test.json")],
    }
    table = Table("step", "seconds", title=f"{config}, seed {seed}")
    for name, words in steps.items():
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "pipelines.cli", *words], check=True)
        table.add_row(name, f"{time.monotonic() - started:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
