"""Lists the runs below a folder with their metrics, and what their settings differ in."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from pipelines.console import table_console
from pipelines.running import run
from tfrec.training.run_list import (
    FITTED,
    MODELS,
    SCORE,
    TrainedModel,
    differing_settings,
    find_models,
)

RUNS_SIDE_BY_SIDE = 6
LOWER_IS_BETTER = ("log_loss", "calibration_error")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, all settings included.")
def command(folder: Path, as_json: bool) -> None:
    """List runs with their metrics and differing settings.

    DIR is searched with the folders below it; it is the current folder by default. A training
    that is going on, or was stopped, is shown with its best validation so far.
    """
    models = find_models(folder)
    if as_json:
        click.echo(json.dumps(_as_json(models), indent=2, ensure_ascii=False))
        return
    if not models:
        click.echo(f"There is no run in {folder}. `tfrec train retrieval --out RUN` makes one.")
        return
    console = table_console()
    for model in MODELS:
        rows = [each for each in models if each.model == model]
        if rows:
            console.print(_overview(model, rows))
            for first in range(0, len(rows), RUNS_SIDE_BY_SIDE):
                table = _comparison(rows, first)
                if table.row_count:
                    console.print(table)
    for each in models:
        if each.problem:
            console.print(f"damaged: {escape(each.problem)}", soft_wrap=True)


def _overview(model: str, rows: Sequence[TrainedModel]) -> Table:
    """Returns one row a run, with the score that its training was about."""
    table = Table(title=f"{model} models", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", justify="right")
    table.add_column("run", overflow="fold")
    for name in ("status", "started (UTC)"):
        table.add_column(name, no_wrap=True)
    for name in ("epochs", "minutes", SCORE):
        table.add_column(name, justify="right", no_wrap=True)
    best = _best(SCORE, rows)
    for number, row in enumerate(rows, start=1):
        table.add_row(
            str(number),
            escape(row.path),
            row.status,
            row.started[:16].replace("T", " "),
            "" if row.epochs is None else str(row.epochs),
            "" if row.seconds is None else f"{row.seconds / 60:.1f}",
            _figure(SCORE, row, best),
        )
    return table


def _comparison(rows: Sequence[TrainedModel], first: int) -> Table:
    """Returns further metrics and the settings that differ, with a column for each of some runs."""
    shown = rows[first : first + RUNS_SIDE_BY_SIDE]
    metrics = dict.fromkeys(name for row in rows for name in row.metrics if name != SCORE)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("metrics, and settings that differ")
    for number in range(first + 1, first + len(shown) + 1):
        table.add_column(str(number), justify="right", overflow="fold")
    for name in metrics:
        best = _best(name, rows)
        table.add_row(escape(name), *(_figure(name, row, best) for row in shown))
    table.add_section()
    for key in differing_settings(rows):
        table.add_row(escape(key), *(escape(_value(row, key)) for row in shown))
    return table


def _figure(name: str, row: TrainedModel, best: float | None) -> str:
    if name not in row.metrics:
        return ""
    text = f"{row.metrics[name]:.4f}"
    return f"[bold]{text}[/bold]" if row.metrics[name] == best else text


def _best(name: str, rows: Sequence[TrainedModel]) -> float | None:
    values = [row.metrics[name] for row in rows if name in row.metrics]
    if len(values) < 2 or name in FITTED:
        return None
    return min(values) if name.startswith(LOWER_IS_BETTER) else max(values)


def _value(row: TrainedModel, key: str) -> str:
    if key not in row.settings:
        return ""
    value = row.settings[key]
    return "null" if value is None else str(value)


def _as_json(models: Sequence[TrainedModel]) -> list[dict[str, Any]]:
    differing = {
        model: differing_settings([each for each in models if each.model == model])
        for model in MODELS
    }
    return [
        {
            **dataclasses.asdict(each),
            "differing": {
                key: each.settings[key] for key in differing[each.model] if key in each.settings
            },
        }
        for each in models
    ]


if __name__ == "__main__":
    run(command)
