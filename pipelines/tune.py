"""Searches a space of settings for those with the best validation score."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich import box
from rich.markup import escape
from rich.table import Table

from pipelines.console import table_console
from pipelines.options import config_option, data_option, path_option
from pipelines.running import run
from tfrec.config import load_config
from tfrec.errors import UserError
from tfrec.progress import write_line

if TYPE_CHECKING:
    from tfrec.tuning.study import Trial


@click.command()
@data_option
@path_option(
    "--space",
    "space_path",
    metavar="YAML",
    help="Settings to vary, each with its choices or its range.",
    required=True,
)
@path_option(
    "--out",
    metavar="DIR",
    help="Folder of the tuning; one that was stopped goes on.",
    required=True,
)
@config_option
@path_option(
    "--run",
    "run_path",
    metavar="RUN",
    help="Tune the ranking model on this run's retrieval model, instead of the retrieval model.",
)
@click.option(
    "--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Trials in all."
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="No trial begins after these."
)
@click.option("--no-pruning", is_flag=True, help="Train every trial to its end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    data: Path,
    space_path: Path,
    out: Path,
    config: Path | None,
    run_path: Path | None,
    trials: int,
    minutes: float | None,
    no_pruning: bool,
    as_json: bool,
) -> None:
    """Find settings with a better validation score.

    Each trial trains with other settings; the first takes those of the configuration, as far as the
    space has them. Trials that are worse than the median of the others at the same epoch end early.
    `DIR/best.yaml` holds the best settings, and `tensorboard --logdir DIR/trials` compares all. The
    test split is never looked at.
    """
    settings = load_config(config)
    from tfrec.tuning.space import SearchSpace

    space = SearchSpace.read(space_path, settings)
    from tfrec.data.dataset import PreparedDataset

    dataset = PreparedDataset.open(data)
    from tfrec.tuning.study import BEST, Tuning

    tuning = Tuning(out, dataset, settings, space, run=run_path, prune=not no_pruning)
    for key, value in tuning.not_first.items():
        write_line(f"{space_path} leaves out {key}: {json.dumps(value)}, so no trial will try it")
    with tuning.open():
        tuning.go_on(trials, minutes, lambda last, best: write_line(_line(last, best, trials)))
        found, best = tuning.trials(), tuning.best()
    if as_json:
        listed = [dataclasses.asdict(trial) for trial in found]
        click.echo(json.dumps({"best": best and best.number, "trials": listed}, indent=2))
    else:
        table_console().print(_table(found, best))
    if best is None:
        problems = [trial.problem for trial in found if trial.problem]
        raise UserError(
            f"no trial in {out} was finished"
            + (f"; the last failed: {problems[-1]}" if problems else "; make more of them")
        )
    if not as_json:
        click.echo(f"The best settings are in {out / BEST}.")


def _line(last: "Trial", best: "Trial | None", trials: int) -> str:
    score = "" if last.score is None else f", NDCG@10 {last.score:.4f}"
    problem = f": {last.problem}" if last.problem else ""
    known = "" if best is None else f" (best {best.score:.4f}, trial {best.number + 1})"
    return f"Trial {last.number + 1} of {trials} {last.state}{score}{problem}{known}"


def _table(trials: Sequence["Trial"], best: "Trial | None") -> Table:
    """Returns the trials, best first."""
    keys = list(dict.fromkeys(key for trial in trials for key in trial.settings))
    table = Table(title="Trials", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("trial", "NDCG@10", "epochs", "minutes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for key in keys:
        table.add_column(escape(key), justify="right", overflow="fold")
    order = {"finished": 0, "pruned": 1}
    for trial in sorted(trials, key=lambda one: (order.get(one.state, 2), -(one.score or 0.0))):
        score = "" if trial.score is None else f"{trial.score:.4f}"
        table.add_row(
            str(trial.number + 1),
            f"[bold]{score}[/bold]" if best and trial.number == best.number else score,
            "" if trial.epochs is None else str(trial.epochs),
            "" if trial.seconds is None else f"{trial.seconds / 60:.1f}",
            trial.state,
            *(escape(_value(trial.settings.get(key))) for key in keys),
        )
    return table


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    run(command)
