"""Takes every measurement of serving, one after the other, and keeps them as JSON and as text.

Run: ``python -m benchmarks.serving_report --models DIR --histories FILE --out DIR [--quick]``

Takes about 35 minutes on two cores, or five with ``--quick``; nothing else should run meanwhile.
"""

import json
import time
from pathlib import Path

import click
from rich.console import Console

from benchmarks import (
    serving_faults,
    serving_history_length,
    serving_latency,
    serving_profile,
    serving_roll,
    serving_soak,
)

PARTS = {
    "latency": serving_latency,
    "history_length": serving_history_length,
    "profile": serving_profile,
    "roll": serving_roll,
    "faults": serving_faults,
    "soak": serving_soak,
}
PATH = click.Path(exists=True, path_type=Path)


@click.command()
@click.option("--models", type=PATH, required=True, help="From `tfrec export`.")
@click.option("--histories", type=PATH, required=True, help="From `tfrec data histories`.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for results.")
@click.option("--quick", is_flag=True, help="Seconds instead of minutes: for a first look.")
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="May be repeated.")
def main(models: Path, histories: Path, out: Path, quick: bool, only: tuple[str, ...]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    for name in only or PARTS:
        started = time.monotonic()
        # Kept part by part, so that a later one that fails loses nothing.
        result = PARTS[name].measure(models, histories, quick=quick)
        (out / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        table = PARTS[name].table(result)
        with (out / f"{name}.txt").open("w", encoding="utf-8") as file:
            Console(file=file, width=120).print(table)
        console.print(table)
        console.print(f"{name}: {time.monotonic() - started:.0f} s", style="dim")


if __name__ == "__main__":
    main()
