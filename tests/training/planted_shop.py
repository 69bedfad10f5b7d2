"""A shop with a rule in it: after item ``n`` shoppers buy item ``n + 1``, mostly."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.tiny_bert import write_tiny_bert
from tfrec.config import DataConfig, ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.data.prepare import prepare_dataset

DAY = 86_400
START = 1_700_000_000
NUM_ITEMS = 40
RETURNED = {f"i{number:02d}" for number in range(0, NUM_ITEMS, 4)}
"""Items that shoppers send back every other time."""


def planted_events(shoppers: int = 240, seed: int = 0) -> pd.DataFrame:
    """Purchases over 100 days, about one in five days a shopper, and returns."""
    random = np.random.default_rng(seed)
    rows = []
    for shopper in range(shoppers):
        item = int(random.integers(NUM_ITEMS))
        time = START + int(random.integers(5 * DAY))
        while time < START + 100 * DAY:
            name = f"i{item:02d}"
            country = ("NL", "UK")[shopper % 2]
            rows.append((f"u{shopper}", name, time, "purchase", country))
            if name in RETURNED and random.random() < 0.5:
                rows.append((f"u{shopper}", name, time + DAY, "return", country))
            follows = random.random() < 0.9
            item = (item + 1) % NUM_ITEMS if follows else int(random.integers(NUM_ITEMS))
            time += int(random.integers(3 * DAY, 7 * DAY))
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "event", "country"])


def planted_items() -> pd.DataFrame:
    """Items whose titles say little, so that behaviour must be learned."""
    words = ["red", "blue", "cotton", "dress", "lamp", "shade", "usb", "cable"]
    numbers = range(NUM_ITEMS)
    return pd.DataFrame(
        {
            "item_id": [f"i{number:02d}" for number in numbers],
            "title": [f"{words[n % 8]} {words[(n // 8 + n) % 8]} {n}" for n in numbers],
            "brand": [f"brand {number % 3}" for number in numbers],
            "price": [1.0 + number for number in numbers],
        }
    )


def prepare_planted(folder: Path, shoppers: int = 240, **data: object) -> PreparedDataset:
    """Prepares the shop in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    planted_events(shoppers).to_parquet(folder / "events.parquet")
    planted_items().to_parquet(folder / "items.parquet")
    settings = {"valid_days": 12, "test_days": 12, "context_columns": ["country"], "shards": 2}
    return prepare_dataset(
        folder / "events.parquet",
        folder / "items.parquet",
        folder / "data",
        DataConfig(**{**settings, **data}),
    )


def small_experiment(folder: Path, **sections: dict) -> ExperimentConfig:
    """A configuration that trains in seconds, with a tiny BERT written to `folder`."""
    bert = folder / "bert"
    if not bert.exists():
        write_tiny_bert(bert)
    settings: dict = {
        "seed": 3,
        "text": {"bert": str(bert), "max_tokens": 16},
        "retrieval": {
            "dimension": 32,
            "max_history": 16,
            "lstm_units": 48,
            "dropout": 0.1,
            "training": {"epochs": 4, "batch_positions": 512, "learning_rate": 0.005},
        },
        "ranking": {
            "candidates": 15,
            "popularity_negatives": 5,
            "neighbours": 10,
            "hidden_units": [16],
            "repeats": "count",
            "training": {"epochs": 12, "batch_lists": 16, "learning_rate": 0.01},
        },
        "evaluation": {"cutoffs": [5, 10], "repeats": "count", "bootstrap_samples": 20},
    }
    for name, section in sections.items():
        settings[name] = _merged(settings.get(name, {}), section)
    return ExperimentConfig.model_validate(settings)


def _merged(base: dict, changes: dict) -> dict:
    merged = dict(base)
    for name, value in changes.items():
        merged[name] = _merged(base.get(name, {}), value) if isinstance(value, dict) else value
    return merged
