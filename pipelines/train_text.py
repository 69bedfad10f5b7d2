"""Trains the BERT on the texts and the log of a shop, ahead of the models."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.console import table_console
from pipelines.options import config_option, data_option, path_option, seed_option
from pipelines.running import run
from tfrec.config import load_config

if TYPE_CHECKING:
    from rich.table import Table

    from tfrec.training.text_lifecycle import TextStep

NAMES = {
    "start": "the BERT it began with",
    "masked": "masked pre-training",
    "contrastive": "contrastive fine-tuning",
    "distil": "distillation",
}


@click.command()
@data_option
@path_option(
    "--out", metavar="RUN", help="Folder of the run; every step goes into it.", required=True
)
@config_option
@click.option("--distil", is_flag=True, help="Make a small, fast BERT of the outcome as well.")
@seed_option
@click.option("--overwrite", is_flag=True, help="Replace steps that are already in the run.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    data: Path,
    out: Path,
    config: Path | None,
    distil: bool,
    seed: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Train the BERT on the texts and the log of a shop.

    The steps are those of `text_training.steps`. Each leaves a BERT that `text.bert` takes. Steps
    that are finished are not done again, and one that was stopped continues.
    """
    settings = load_config(config)
    from tfrec.data.dataset import PreparedDataset

    dataset = PreparedDataset.open(data)
    # After the mistakes that can be said without TensorFlow, which takes seconds to import.
    from tfrec.training.text_lifecycle import run_text

    steps = run_text(dataset, out, settings, distil=distil, seed=seed, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(step) for step in steps], indent=2))
        return
    table_console().print(_table(steps))
    click.echo(f"Use it: set text.bert to {steps[-1].bert}")


def _table(steps: "list[TextStep]") -> "Table":
    from rich import box
    from rich.table import Table

    figures = list(dict.fromkeys(name for step in steps for name in step.metrics))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("step")
    for name in ("minutes", *figures):
        table.add_column(name, justify="right", overflow="fold")
    for step in steps:
        values = [step.metrics.get(name) for name in figures]
        shown = ["" if value is None else f"{value:.4g}" for value in values]
        table.add_row(NAMES[step.name], f"{step.seconds / 60:.1f}", *shown)
    return table


if __name__ == "__main__":
    run(command)
