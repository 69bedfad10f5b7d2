"""A corner of the shipped data, on which a notebook runs in seconds, and its trained run."""

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import tfrec
from notebooks.execute import FOLDER
from tests.tiny_bert import write_tiny_bert
from tfrec.config import ExperimentConfig, change_config, dump_config, load_config
from tfrec.data.sample import sample_path

ITEMS, SHOPPERS = 240, 250
SMALLER = {
    "text.max_tokens": 24,
    "retrieval.dimension": 16,
    "retrieval.lstm_units": 16,
    "retrieval.max_history": 40,
    "retrieval.memory_neighbours": 10,
    "retrieval.training.epochs": 1,
    "ranking.candidates": 30,
    "ranking.training.epochs": 2,
    "ranking.max_history": 100,
    "evaluation.bootstrap_samples": 100,
    "export.k": 30,
    "export.warmup_records": 1,
}


_kept: list["tempfile.TemporaryDirectory[str]"] = []


LESS: dict[str, dict[str, int]] = {
    "02_text_tower": {"BEST_SELLERS": 24, "EPOCHS": 1},
    "03_behaviour_and_retrieval": {"SHOPPERS": 8},
    "04_ranking_and_display_order": {"SHOPPERS": 25},
    "05_cold_start_and_launch": {"SHOPPERS": 30},
    "06_serving_over_grpc": {"REQUESTS": 40},
    "07_monitoring_and_ab": {"SHOPPERS": 250},
}


@dataclass(frozen=True)
class SmallShop:
    """Where the corner lies.

    Attributes:
        folder: ``events.parquet`` and ``items.parquet``.
        config: its configuration.
        work: what the notebooks make; the data set in ``data`` and the run in ``run`` are there.
    """

    folder: Path
    config: Path
    work: Path


@functools.cache
def trained_small_shop() -> SmallShop:
    """Returns the one small shop of this process, trained as a notebook would train it."""
    folder = tempfile.TemporaryDirectory(prefix="small-shop-")
    _kept.append(folder)
    shop = write_small_shop(Path(folder.name), FOLDER / "shop.yaml")
    dataset = tfrec.load_dataset(shop.folder, out=shop.work / "data")
    tfrec.Recommender(shop.config).fit(dataset, run=shop.work / "run")
    return shop


def write_small_shop(folder: Path, experiment: Path) -> SmallShop:
    """Writes the best sellers, their steadiest shoppers, and a BERT of a few words.

    Args:
        folder: where to write.
        experiment: the configuration of which it gets a smaller one.
    """
    sample = sample_path()
    events, items = (pd.read_parquet(sample / f"{name}.parquet") for name in ("events", "items"))
    sold = events["item_id"].value_counts()
    items = items[items["item_id"].isin(sold.index[:ITEMS])]
    events = events[events["item_id"].isin(items["item_id"])]
    orders = events.groupby("user_id")["order_id"].nunique().sort_values(ascending=False)
    # Every third one, or there would be wholesalers only, with a history of the whole catalogue.
    events = events[events["user_id"].isin(orders.index[: 3 * SHOPPERS : 3])]
    shop = folder / "shop"
    shop.mkdir()
    events.to_parquet(shop / "events.parquet", index=False)
    items.to_parquet(shop / "items.parquet", index=False)
    bert = write_tiny_bert(folder / "bert")
    config: ExperimentConfig = change_config(
        load_config(experiment), {**SMALLER, "text.bert": str(bert)}
    )
    (shop / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    return SmallShop(shop, shop / "config.yaml", folder / "work")


def parameters_for(notebook: Path, shop: SmallShop) -> dict[str, object]:
    """Returns the values of a notebook's parameters: paths in the shop, and less of everything."""
    values: dict[str, object] = {"CONFIG": str(shop.config), "WORK": str(shop.work)}
    if notebook.stem == "01_quickstart":
        tables = {"EVENTS": shop.folder / "events.parquet", "ITEMS": shop.folder / "items.parquet"}
        values |= {name: str(path) for name, path in tables.items()}
    else:
        values["SHOP"] = str(shop.folder)
    return values | LESS.get(notebook.stem, {})
