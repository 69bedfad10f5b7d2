"""A shop with everything an export must carry: returns, contexts, categories, prices, gaps."""

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tests.data.shop import START, write_frame
from tests.tiny_bert import write_tiny_bert
from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.log_statistics import LogStatistics
from tfrec.data.prepare import prepare_dataset
from tfrec.files import write_json
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec
from tfrec.training import retrieval as retrieval_training
from tfrec.training.ranking import FEATURES, build_ranker, save_ranker
from tfrec.training.retrieval import SPEC, VECTORS, weights_fingerprint
from tfrec.training.run import RunDirectory
from tfrec.training.text import encode_all, item_text_vectors, trainable_text_encoder

COLOURS = ["red", "blue"]
THINGS = ["cotton dress", "lamp", "usb cable", "heart", "light holder", "shade"]
# Sold out, but still in the histories of those who bought it.
SOLD_OUT = "item-03"
SHOPPERS = 60
# What items that nobody bought are worth more.
FACTOR = 1.5
HOUR = 3600
DAY = 24 * HOUR


def items_frame() -> pd.DataFrame:
    titles = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
    frame = pd.DataFrame({"item_id": [f"item-{i:02}" for i in range(len(titles))], "title": titles})
    frame["brand"] = ["", "Acme", "Delft"] * 4
    frame["categories"] = ["wear,cotton", "wear", "", "light, home"] * 3
    frame["description"] = ["", "a light  of  the heart"] * 6
    frame["price"] = [1.5, 2.0, np.nan, 4.0, 5.0, 0.0] * 2
    frame["available"] = frame["item_id"] != SOLD_OUT
    return frame


def events_frame() -> pd.DataFrame:
    """Every shopper walks through the catalogue from a place of his own; some send back."""
    random = np.random.default_rng(3)
    items = items_frame()["item_id"].tolist()
    rows = []
    for shopper in range(SHOPPERS):
        place = int(random.integers(len(items)))
        for step in range(int(random.integers(3, 14))):
            item = items[(place + step) % len(items)]
            time = START + int(random.integers(100)) * DAY + step * HOUR
            country = ["NL", "FR"][shopper % 2]
            rows.append((f"u{shopper}", item, time, "purchase", 1, country))
            if random.random() < 0.2:
                rows.append((f"u{shopper}", item, time + HOUR, "return", 1, country))
    columns = ["user_id", "item_id", "timestamp", "event", "quantity", "country"]
    return pd.DataFrame(rows, columns=columns)


def shop_config(bert: Path, **sections: dict) -> ExperimentConfig:
    settings: dict = {
        "data": {"context_columns": ["country"], "valid_days": 20, "test_days": 20},
        "text": {"bert": str(bert), "max_tokens": 16},
        "retrieval": {
            "dimension": 8,
            "lstm_units": 8,
            "max_history": 6,
            "repeat_bonus": True,
            "history_averages": [1.0, 0.6],
            "lstm_layers": 2,
            "lstm_layer_norm": True,
            "lstm_first_residual": True,
            "state_attention": 2,
            "cold_start": True,
        },
        "ranking": {"candidates": 6, "neighbours": 4, "max_history": 8},
        "evaluation": {"repeats": "count", "cutoffs": [5]},
        "export": {"k": 5, "warmup_records": 3, "keep_versions": 3},
    }
    for name, changes in sections.items():
        settings[name] = {**settings[name], **changes}
    return ExperimentConfig.model_validate(settings)


def make_run(
    folder: Path,
    events: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    **sections: dict,
) -> Path:
    """Prepares the shop and writes a run with random weights, so that every input matters.

    Training would leave most of them at 0, and takes longer.
    """
    config = shop_config(write_tiny_bert(folder / "bert"), **sections)
    tf.keras.utils.set_random_seed(config.seed)  # whatever ran before in this process
    events = write_frame(events_frame() if events is None else events, folder / "events.parquet")
    catalogue = write_frame(items_frame() if items is None else items, folder / "items.parquet")
    dataset = prepare_dataset(events, catalogue, folder / "data", config.data)
    run = folder / "run"
    retrieval = _make_retrieval(dataset, run, config)
    _make_ranking(dataset, retrieval, run, config)
    return run


def _start(dataset: PreparedDataset, run: Path, name: str, config: ExperimentConfig):
    return RunDirectory.create(run, name, config, dataset.path, dataset.checksum, config.seed)


def _make_retrieval(dataset: PreparedDataset, run: Path, config: ExperimentConfig):
    directory = _start(dataset, run, "retrieval", config)
    encoder = trainable_text_encoder(config.text)
    if encoder is None:
        vectors = item_text_vectors(dataset, config.text)
    else:
        for seed, variable in enumerate(encoder.trainable_variables):
            _shake(variable, seed)
        vectors = encode_all(encoder, dataset.items["text"].tolist())
    features = ItemFeatures.of(dataset, vectors)
    spec = DataSpec.of(dataset, features)
    catalogue = Catalogue(features, encoder)
    model = RetrievalModel(catalogue, spec, config.retrieval)
    known = {column: table[1:] for column, table in features.vectors.items()}
    model.item_tower.adapt(vectors, features.price[1:], known)
    model.build_weights()
    for seed, variable in enumerate(model.item_tower.variables + model.query_tower.variables):
        _shake(variable, seed)
    assert model.repeat_bonus is not None
    _shake(model.repeat_bonus.variables[0], 99)
    assert model.cold_start is not None
    model.count(dataset.log_before("test"))
    model.cold_start.fit(share=0.5, pseudo_sales=20.0, decay=0.5, bonus=0.03)
    np.save(directory.path / VECTORS, vectors)
    write_json(directory.path / SPEC, spec.model_dump())
    tf.train.Checkpoint(**model.parts).write(str(directory.path / retrieval_training.WEIGHTS))
    directory.finish({})
    return model


def _make_ranking(
    dataset: PreparedDataset, retrieval: RetrievalModel, run: Path, config: ExperimentConfig
) -> None:
    directory = _start(dataset, run, "ranking", config)
    statistics = LogStatistics.build(dataset, config.ranking.neighbours)
    ranker = build_ranker(retrieval, statistics, config.ranking)
    for seed, variable in enumerate(ranker.model.trainable_variables):
        _shake(variable, seed)
    ranker.model.new_item_factor.assign(FACTOR)
    ranker.model.normalise.adapt(typical_features(len(ranker.features.names)))
    write_json(
        directory.path / FEATURES,
        {"features": ranker.features.names, "retrieval": weights_fingerprint(retrieval)},
    )
    save_ranker(ranker, statistics, directory.path)
    directory.finish({})


def typical_features(count: int) -> np.ndarray:
    """Returns float32 `[50, count]`, the features that the ranking model was scaled by."""
    return np.random.default_rng(5).normal(1.0, 2.0, (50, count)).astype(np.float32)


def _shake(variable: tf.Variable, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0.0, 0.2, variable.shape)
    variable.assign_add(noise.astype(np.float32))
