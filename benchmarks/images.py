"""Measures what pictures tell the item tower, and that items without one lose nothing.

    python -m benchmarks.images --out DIR [--items 800] [--shoppers 3000] [--seeds 3]

A shop is drawn whose titles do not say what decides (see `benchmarks.picture_shop`), as a log, a
catalogue and JPEG files, of which some are broken. `tfrec data images` encodes them, and a
retrieval model is trained without pictures, with them, and with the pictures of other products in
their place. Recall is measured on what shoppers buy in the test period, among all items and, as a
better list of one kind takes places from another, among items of the same kind. What was measured
is kept in DIR, and a command that was stopped goes on.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.picture_shop import LAST_DAYS, draw_pictures, make_shop
from tfrec.config import EvaluationConfig
from tfrec.evaluation import Cases, Scorer, rank
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.evaluation.metrics import case_of_target
from tfrec.files import read_json, write_json

CUTOFF = 20
PLAIN, PICTURES, WITHOUT_DROPOUT, SWAPPED = (
    "titles alone",
    "titles and pictures",
    "the same, no modality dropout",
    "pictures of other items",
)
ARMS = (PLAIN, PICTURES, SWAPPED, WITHOUT_DROPOUT)
KINDS = ("new, picture", "new, none", "known, picture", "known, none")
COLUMN = "image_embedding"


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to work in.")
@click.option("--items", default=800, show_default=True)
@click.option("--shoppers", default=3000, show_default=True)
@click.option("--pictures", default=0.6, show_default=True, help="Share of items with a picture.")
@click.option(
    "--new", default=0.2, show_default=True, help="Share of items first sold in the test."
)
@click.option("--broken", default=0.01, show_default=True, help="Share of files cut short.")
@click.option("--model", default="efficientnet_lite0", show_default=True, help="Reads pictures.")
@click.option("--seeds", default=3, show_default=True, help="Trainings of each arm.")
@click.option("--epochs", default=10, show_default=True)
def main(
    out: Path,
    items: int,
    shoppers: int,
    pictures: float,
    new: float,
    broken: float,
    model: str,
    seeds: int,
    epochs: int,
) -> None:
    """Draw a shop, encode its pictures, train with and without them, and print recall."""
    out.mkdir(parents=True, exist_ok=True)
    _check_options(out, [items, shoppers, pictures, new, broken, model, epochs])
    shop = make_shop(items=items, shoppers=shoppers, pictures=pictures, new=new, seed=0)
    encoded = _encode(shop, out, broken, model)
    data = _prepare(shop, encoded, out, epochs)
    rows = []
    for seed in range(seeds):
        for arm in ARMS:
            path = out / f"{_slug(arm)}-{seed}.json"
            if not path.exists():
                _train(arm, seed, data, out)
                write_json(path, _measure(out / "run", shop.items, encoded))
            rows.append({"arm": arm, "seed": seed, "recall": read_json(path)})
    told = encoded[COLUMN].notna()
    title = f"{items} items, {int(told.sum())} with a vector, {shoppers} shoppers, {seeds} seeds"
    for among in ("all items", "items of the same kind"):
        Console().print(as_table(rows, among, title))


def _check_options(out: Path, options: list[Any]) -> None:
    path = out / "options.json"
    if path.exists() and read_json(path) != options:
        raise click.ClickException(f"{out} holds what other options made; choose another --out")
    write_json(path, options)


def _encode(shop: Any, out: Path, broken: float, model: str) -> pd.DataFrame:
    """Returns the catalogue with its vectors, from the pipeline's step."""
    path = out / "encoded.parquet"
    if not path.exists():
        draw_pictures(shop, out / "pictures", broken=broken, seed=1)
        shop.items[["item_id", "title"]].to_csv(out / "items.csv", index=False)
        given = ["--items", str(out / "items.csv"), "--images", str(out / "pictures")]
        _tfrec("data", "images", *given, "--model", model, "--out", str(path))
    return pd.read_parquet(path)


def _prepare(shop: Any, encoded: pd.DataFrame, out: Path, epochs: int) -> dict[str, Path]:
    """Writes the configurations, and one data set for each kind of vectors."""
    shop.events.to_parquet(out / "events.parquet", index=False)
    for arm in ARMS:
        (out / f"{_slug(arm)}.yaml").write_text(yaml.safe_dump(_settings(arm, out, epochs)))
    has = encoded[COLUMN].notna().to_numpy()
    swapped = encoded.copy()
    order = np.random.default_rng(2).permutation(np.flatnonzero(has))
    swapped.loc[has, COLUMN] = encoded[COLUMN].to_numpy()[order]
    catalogues = {PLAIN: encoded.drop(columns=COLUMN), PICTURES: encoded, SWAPPED: swapped}
    folders = {}
    for arm, catalogue in catalogues.items():
        folders[arm] = out / f"data-{_slug(arm)}"
        if not folders[arm].exists():
            items = out / f"items-{_slug(arm)}.parquet"
            catalogue.to_parquet(items, index=False)
            given = ["--events", str(out / "events.parquet"), "--items", str(items)]
            given += ["--config", str(out / f"{_slug(arm)}.yaml")]
            _tfrec("data", "prepare", *given, "--out", str(folders[arm]))
    return {**folders, WITHOUT_DROPOUT: folders[PICTURES]}


def _settings(arm: str, out: Path, epochs: int) -> dict[str, Any]:
    training = {
        "epochs": epochs,
        "patience": 3,
        "learning_rate": 0.005,
        "batch_positions": 1024,
        "tensorboard": False,
    }
    return {
        "data": {"valid_days": LAST_DAYS, "test_days": LAST_DAYS},
        "text": {"cache_dir": str(out / "texts")},
        "retrieval": {
            "dimension": 32,
            "lstm_units": 32,
            "max_history": 20,
            "vector_dropout": 0.0 if arm == WITHOUT_DROPOUT else 0.1,
            "training": training,
        },
    }


def _train(arm: str, seed: int, data: dict[str, Path], out: Path) -> None:
    given = ["--data", str(data[arm]), "--config", str(out / f"{_slug(arm)}.yaml")]
    given += ["--out", str(out / "run"), "--seed", str(seed), "--overwrite"]
    _tfrec("train", "retrieval", *given)


class _Among:
    """Scores of a model for some of the items; the others are never shown."""

    def __init__(self, scorer: Scorer, chosen: np.ndarray) -> None:
        self.name = scorer.name
        self._scorer = scorer
        self._hidden = ~np.append(False, chosen)

    def score(self, histories: Any) -> np.ndarray:
        """Returns float32 `[shoppers, num_items + 1]`."""
        scores = self._scorer.score(histories).copy()
        scores[:, self._hidden] = -np.inf
        return scores


def _measure(run: Path, items: pd.DataFrame, encoded: pd.DataFrame) -> dict[str, Any]:
    """Returns recall by what is competed with, kind of item and shopper."""
    from tfrec.models.scorers import RetrievalScorer
    from tfrec.training.loading import TrainedRun

    trained = TrainedRun.open(run)
    table = trained.dataset.items["item_id"]
    is_new = items.set_index("item_id")["new"].reindex(table).to_numpy(bool)
    has = encoded.set_index("item_id")[COLUMN].notna().reindex(table).to_numpy(bool)
    kinds = dict(
        zip(KINDS, [is_new & has, is_new & ~has, ~is_new & has, ~is_new & ~has], strict=True)
    )
    cases = Cases.of(trained.dataset, "test", EvaluationConfig(repeats="exclude"))
    scorer = RetrievalScorer(trained.retrieval)
    owner = case_of_target(cases.target_offsets)
    everything = rank(scorer, cases)[0]
    found: dict[str, Any] = {"all items": {}, "items of the same kind": {}}
    for kind, chosen in kinds.items():
        own = chosen[cases.target_item - 1]
        for among, ranks in (
            ("all items", everything),
            ("items of the same kind", rank(_Among(scorer, chosen), cases)[0]),
        ):
            count = np.bincount(owner[own], minlength=len(cases))
            hits = np.bincount(owner[own & (ranks <= CUTOFF)], minlength=len(cases))
            recall = hits[count > 0] / count[count > 0]
            found[among][kind] = {
                "shoppers": cases.indices[count > 0].tolist(),
                "recall": recall.tolist(),
            }
    return found


def as_table(rows: list[dict[str, Any]], among: str, title: str) -> Table:
    """Returns recall of every arm, the mean over seeds, and its difference from titles alone.

    The intervals are over shoppers; a shopper's recall is the mean of the seeds.
    """
    table = Table(title=f"recall@{CUTOFF} among {among}: {title}")
    table.add_column("item tower")
    for kind in KINDS:
        table.add_column(f"items: {kind}", justify="right")
    for arm in ARMS:
        cells = []
        for kind in KINDS:
            mine, plain = (_by_shopper(rows, name, among, kind) for name in (arm, PLAIN))
            cell = f"{mine.mean():.4f}"
            if arm != PLAIN:
                low, high = bootstrap_interval((mine - plain)[:, np.newaxis])
                cell += f"\n{(mine - plain).mean():+.4f} [{low[0]:+.4f}, {high[0]:+.4f}]"
            cells.append(cell)
        table.add_row(arm, *cells)
    return table


def _by_shopper(rows: list[dict[str, Any]], arm: str, among: str, kind: str) -> np.ndarray:
    values = [row["recall"][among][kind]["recall"] for row in rows if row["arm"] == arm]
    return np.mean(values, axis=0)


def _slug(arm: str) -> str:
    return "_".join(arm.replace(",", "").split())


def _tfrec(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pipelines.cli", *words], check=True)


if __name__ == "__main__":
    main()
