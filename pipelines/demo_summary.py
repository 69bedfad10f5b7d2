"""What the demo says at its end: the quality of the models, and what to do next."""

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfrec.files import read_json

METRICS = ("recall", "ndcg")
CUTOFF = 20


def evaluation_table(files: Mapping[str, Path]) -> Table:
    """Returns models x recall and NDCG, one below the other for every way of measuring.

    Args:
        files: what `tfrec evaluate --json` wrote, by a name for the way of measuring.

    Raises:
        UserError: if a file is missing or damaged.
    """
    table = Table(
        title="Quality on the test period, the full catalogue ranked",
        caption="± half of the 95 % bootstrap interval; the best in bold",
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    reports = {name: read_json(path) for name, path in files.items()}
    cutoff = _cutoff(next(iter(next(iter(reports.values())).values())))
    table.add_column("model", no_wrap=True)
    for metric in METRICS:
        table.add_column(f"{metric}@{cutoff}", justify="right", no_wrap=True)
    for name, report in reports.items():
        shoppers = max(figures["cases"] for figures in report.values())
        table.add_section()
        table.add_row(Text(f"{name}, {shoppers:,} shoppers", style="italic"))
        for model, figures in report.items():
            cells = []
            for metric in METRICS:
                key = f"{metric}@{cutoff}"
                best = max(own[key] or 0.0 for own in report.values())
                cells.append(_figure(figures, key, best))
            table.add_row(f"  {model}", *cells)
    return table


def show_next_steps(console: Console, workdir: Path, models: Path, run: Path) -> None:
    """Prints where everything is, and the commands that work with it."""
    tfrec, tensorboard = _program("tfrec"), _program("tensorboard")
    server = "--server localhost:8500"
    console.print("[bold]What to do next[/bold]")
    places = {
        "the models": f"{models}{os.sep}{{recommender,retrieval,ranking}}{os.sep}<version>",
        "the training run": f"{run} (configuration, weights, TensorBoard logs)",
        "all figures": f"{workdir / 'evaluation'}{os.sep}*.txt (tables), *.json",
        "the configuration": f"{workdir / 'config.yaml'}",
    }
    for name, place in places.items():
        console.print(f"  {name:20}", Text(place), sep="", soft_wrap=True)
    commands: dict[str, Sequence[str]] = {
        "look at the training in TensorBoard": [
            f"{tensorboard} --logdir {shlex.quote(str(run))}",
        ],
        "serve the models (gRPC on 8500, REST on 8501)": [
            f"{tfrec} serve --models {shlex.quote(str(models))}",
        ],
        "ask the server, in another terminal": [
            f"{tfrec} recommend {server} --history 22423,22720 --context country=France",
            f'{tfrec} search {server} --query "retro lunch box"',
            f"{tfrec} similar {server} --item 85123A",
            f"{tfrec} cart {server} --basket 85123A,22423",
            f"{tfrec} home {server} --history 22423,22720",
        ],
        "begin with the data of your own shop": [
            f"{tfrec} data prepare --events events.csv --items items.csv --out data",
        ],
    }
    for what, lines in commands.items():
        console.print(f"  {what}:")
        for line in lines:
            console.print(Text(f"    {line}", style="cyan"), soft_wrap=True)


def _figure(figures: Mapping[str, float | None], key: str, best: float) -> Text:
    value, low, high = figures[key], figures[f"{key}_low"], figures[f"{key}_high"]
    if value is None or low is None or high is None:
        return Text("-")
    return Text(f"{value:.4f} ±{(high - low) / 2:.4f}", style="bold" if value == best else "")


def _cutoff(figures: Iterable[str]) -> int:
    """Returns the cutoff that is nearest to the one that the project reports."""
    found = [re.fullmatch(rf"{METRICS[0]}@(\d+)", key) for key in figures]
    return min((int(match[1]) for match in found if match), key=lambda k: abs(k - CUTOFF))


def _program(name: str) -> str:
    """Returns how to call a program of our environment from the current folder."""
    path = Path(sys.executable).parent / name
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))
