"""Draws how good the models of a run are: by training time, by shopper and by item.

    python -m benchmarks.quality_plots --quality DIR --out FOLDER [--recbole DIR]
    python -m benchmarks.quality_plots --run RUN --ranks RANKS [--validation JSON] --out FOLDER

DIR is what `benchmarks.quality` wrote, all its seeds; or name a run, with the results of
`tfrec evaluate --run RUN --split test --ranks RANKS` and, for the baselines of the first picture,
of `tfrec evaluate --run RUN --split valid --json JSON`. `--recbole` takes what
`benchmarks/recbole_models.py` wrote for the same events, and checks that the targets are the same.
Nothing is trained or measured here, and a table of the test is printed.

Bars and bands are 95 % bootstrap intervals over shoppers. The curve of retrieval is of all
shoppers of the validation split, those of the ranking model and of the baselines are of the
shoppers that its training held out. Minutes are those of the clock on the wall, but for RecBole
processor time, which it spends in one thread: other work on the machine lengthens the former.
"""

from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.measuring import PATH
from benchmarks.quality_curves import (
    bins_of,
    label_of,
    learning_curves,
    quality,
    quality_by,
    same_targets,
)
from pipelines.console import table_console
from pipelines.running import run
from tfrec.config import load_stored_config
from tfrec.data.users import hash_user
from tfrec.errors import UserError
from tfrec.files import read_json

# The palette of Okabe and Ito, which colour-blind people can tell apart.
COLOURS = {
    "retrieval": "#0072B2",
    "retrieval+ranking": "#D55E00",
    "popularity": "#999999",
    "item_knn": "#009E73",
    "text_knn": "#CC79A7",
    "SASRec": "#000000",
    "GRU4Rec": "#56B4E9",
}
LABELS = {"item_knn": "ItemKNN", "text_knn": "frozen BERT", "retrieval+ranking": "both stages"}
CURVES = {"retrieval": "retrieval", "ranking": "retrieval+ranking"}
SHARE_OF_A_BIN = 0.1
SIZE, DPI = (7.0, 4.2), 100


class Sources(NamedTuple):
    """What is drawn.

    Attributes:
        runs: folders of runs, one a seed.
        ranks: Parquet files of `tfrec evaluate --ranks`, one a run.
        validation: its JSON file on the validation split, or None.
    """

    runs: list[Path]
    ranks: list[Path]
    validation: Path | None


def sources_of(folder: Path) -> Sources:
    """Returns what `benchmarks.quality` wrote to a folder, of the stricter way to count.

    Raises:
        UserError: if it has not finished there.
    """
    if not (folder / "summary.json").exists():
        raise UserError(f"{folder} has no summary.json; let `benchmarks.quality` finish there")
    seeds = [folder / f"seed-{seed}" for seed in read_json(folder / "summary.json")["seeds"]]
    return Sources(
        [seed / "run" for seed in seeds],
        [seed / "test-exclude.parquet" for seed in seeds],
        seeds[0] / "valid-exclude.json",
    )


def tables_of(sources: Sources, recbole: Path | None) -> dict[str, list[pd.DataFrame]]:
    """Returns the ranks by model, one table a seed.

    Raises:
        UserError: if RecBole's targets are not those of tfrec.
    """
    seeds = [pd.read_parquet(path) for path in sources.ranks]
    tables = {
        model: [seed[seed["model"] == model] for seed in seeds]
        for model in seeds[0]["model"].unique()
    }
    if recbole is not None:
        salt = load_stored_config(sources.runs[0] / "retrieval" / "config.yaml").data.user_salt
        ranks = pd.read_parquet(recbole / "ranks.parquet")
        ranks["user"] = [hash_user(user, salt) for user in ranks["user_id"]]
        targets = next(iter(tables.values()))[0]
        for model, own in ranks.groupby("model"):
            tables[str(model)] = [same_targets(own, targets).assign(model=model)]
    return tables


def table_of(tables: dict[str, list[pd.DataFrame]], at: int) -> Table:
    """Returns recall and NDCG of each model on the test."""
    cells = [(metric, cutoff) for cutoff in sorted({5, at}) for metric in ("recall", "ndcg")]
    shoppers = next(iter(tables.values()))[0]["user"].nunique()
    table = Table(title=f"test, {shoppers:,} shoppers", caption="± half of the 95 % interval")
    table.add_column("model")
    for metric, cutoff in cells:
        table.add_column(f"{metric}@{cutoff}", justify="right")
    for model, seeds in tables.items():
        found = [quality(seeds, metric, cutoff) for metric, cutoff in cells]
        table.add_row(model, *(f"{point.mean:.4f} ±{point.half:.4f}" for point in found))
    return table


def _figure(title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    panel = figure.subplots()
    panel.set_title(title, fontsize=10)
    panel.grid(alpha=0.3)
    return figure, panel


def draw_time(
    curves: list[dict[str, pd.DataFrame]],
    others: dict[str, pd.DataFrame],
    baselines: dict[str, tuple[float, float, float]],
    at: int,
    title: str,
) -> Any:
    """Returns the picture of validation NDCG against minutes of training.

    Args:
        curves: from `learning_curves`, one a seed.
        others: the same of RecBole's models.
        baselines: mean, lower and upper end of what is not trained.
        at: cutoff.
        title: of the picture.
    """
    figure, panel = _figure(title)
    lines = [(CURVES[name], own) for seed in curves for name, own in seed.items()]
    for model, curve in [*lines, *others.items()]:
        panel.plot(
            curve["minutes"], curve["ndcg"], marker=".", color=COLOURS.get(model), label=model
        )
    for model, (mean, low, high) in baselines.items():
        panel.axhline(mean, color=COLOURS.get(model), linestyle="--", linewidth=1, label=model)
        panel.axhspan(low, high, color=COLOURS.get(model), alpha=0.12, linewidth=0)
    panel.set(xlabel="minutes of training", ylabel=f"validation NDCG@{at}")
    panel.set_ylim(bottom=0)
    _legend(panel)
    return figure


def draw_bins(
    tables: dict[str, list[pd.DataFrame]], column: str, axis: str, at: int, title: str
) -> Any:
    """Returns the picture of test NDCG against a whole number of the shopper or the item.

    Args:
        tables: ranks by model, one table a seed.
        column: of the tables.
        axis: what the number is called.
        at: cutoff.
        title: of the picture.
    """
    values = next(iter(tables.values()))[0][column].to_numpy()
    bins = bins_of(values, round(SHARE_OF_A_BIN * len(values)))
    figure, panel = _figure(title)
    places = np.arange(len(bins))
    for number, (model, seeds) in enumerate(tables.items()):
        points = quality_by(seeds, column, bins, at)
        panel.errorbar(
            # Side by side, so that the bars do not hide each other.
            places + 0.07 * (number - (len(tables) - 1) / 2),
            [point.mean for point in points],
            yerr=[point.half for point in points],
            color=COLOURS.get(model),
            label=model,
            marker=".",
            linewidth=1.2,
            elinewidth=0.8,
        )
    names = [
        f"{label_of(one, one is bins[-1])}\n({point.shoppers:,})"
        for one, point in zip(bins, points, strict=True)
    ]
    panel.set_xticks(places, names, fontsize=8)
    panel.set(xlabel=f"{axis} (shoppers)", ylabel=f"test NDCG@{at}")
    panel.set_ylim(bottom=0)
    _legend(panel)
    return figure


def _legend(panel: Any) -> None:
    """Names each model once, whatever the number of its lines."""
    handles, labels = panel.get_legend_handles_labels()
    first = {LABELS.get(label, label): one for one, label in zip(handles, labels, strict=True)}
    panel.legend(list(first.values()), list(first), fontsize=8)


def _baselines(path: Path, at: int) -> dict[str, tuple[float, float, float]]:
    figures, name = read_json(path), f"ndcg@{at}"
    return {
        model: (own[name], own[f"{name}_low"], own[f"{name}_high"])
        for model, own in figures.items()
        if not model.startswith("retrieval")
    }


@click.command()
@click.option("--quality", "folder", type=PATH, help="Folder of benchmarks.quality.")
@click.option("--run", "runs", type=PATH, multiple=True, help="A run, instead.")
@click.option("--ranks", type=PATH, multiple=True, help="Its tfrec evaluate --ranks.")
@click.option("--validation", type=PATH, help="Its figures on the validation split.")
@click.option("--recbole", type=PATH, help="Folder of benchmarks/recbole_models.py.")
@click.option("--out", required=True, type=PATH, help="Folder for the pictures.")
@click.option("--name", default="quality", show_default=True, help="Start of their names.")
@click.option("--title", default="", help="Name of the data set.")
@click.option("--at", default=10, show_default=True, help="Cutoff of the metrics.")
def main(
    folder: Path | None,
    runs: tuple[Path, ...],
    ranks: tuple[Path, ...],
    validation: Path | None,
    recbole: Path | None,
    out: Path,
    name: str,
    title: str,
    at: int,
) -> None:
    """Draw NAME_time.png, NAME_history.png and NAME_popularity.png."""
    if (folder is None) == (not runs) or len(runs) != len(ranks):
        raise click.UsageError("give --quality, or a --ranks for each --run")
    sources = Sources(list(runs), list(ranks), validation) if folder is None else sources_of(folder)
    tables = tables_of(sources, recbole)
    table_console().print(table_of(tables, at))
    curves = [learning_curves(run, at) for run in sources.runs]
    others = {}
    if recbole is not None:
        found = read_json(recbole / "recbole.json")
        others = {
            model: pd.DataFrame(own["validation"]).assign(
                minutes=lambda curve: curve["processor_minutes"]
            )
            for model, own in found.items()
        }
    baselines = {} if sources.validation is None else _baselines(sources.validation, at)
    pictures = {
        "time": draw_time(curves, others, baselines, at, title),
        "history": draw_bins(tables, "history", "events in the history", at, title),
        "popularity": draw_bins(
            tables, "train_events", "sales of the target in training", at, title
        ),
    }
    out.mkdir(parents=True, exist_ok=True)
    for part, figure in pictures.items():
        figure.savefig(out / f"{name}_{part}.png")


if __name__ == "__main__":
    run(main)
