"""A small shop whose models are served, and the weeks that come after."""

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.training.planted_shop import (
    DAY,
    START,
    planted_events,
    planted_items,
    small_experiment,
)
from tfrec.config import ExperimentConfig
from tfrec.data.prepare import prepare_dataset
from tfrec.export.exporter import export_run
from tfrec.training.stages import run_ranking, run_retrieval
from tfrec.updating.update import Updated, update

SHOPPERS = 120
KNOWN_DAYS = 86
"""Days that the first models know; two weeks are left."""
NEW_ITEM = "i39"
"""Not in the catalogue before the first week."""
NEW_COUNTRY = "FR"


@dataclass(frozen=True)
class Shop:
    """Where the files are.

    Attributes:
        folder: holds `run`, `data`, `models` and the batches.
        config: the experiment.
    """

    folder: Path
    config: ExperimentConfig

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def batch(self, week: int) -> Path:
        """The events of the first or second week after the first export."""
        return self.folder / f"week{week}.parquet"

    def update(self, week: int = 1, **settings) -> Updated:
        """Takes in a week, with the new product."""
        given = {"events": self.batch(week), "items": self.folder / "new.parquet"} | settings
        return update(self.models, self.state, **{"run": self.folder / "run", **given})

    def copy(self, folder: Path) -> "Shop":
        """Returns the shop in a folder of its own; the run and its data stay where they are."""
        folder.mkdir(exist_ok=True)
        for name in ("week1.parquet", "week2.parquet", "new.parquet"):
            shutil.copyfile(self.folder / name, folder / name)
        for name in ("models", "state"):
            if (self.folder / name).exists():
                shutil.copytree(self.folder / name, folder / name)
        (folder / "run").symlink_to((self.folder / "run").resolve())
        return Shop(folder, self.config)


def shop_events() -> pd.DataFrame:
    """The planted shop; the last product and a country are first seen in the first week."""
    frame = planted_events(SHOPPERS)
    day = (frame["timestamp"] - START) // DAY
    frame = frame[(frame["item_id"] != NEW_ITEM) | (day >= KNOWN_DAYS)]
    late = (day >= KNOWN_DAYS) & frame["user_id"].isin(["u0", "u2"])
    frame.loc[late, "country"] = NEW_COUNTRY
    return frame


def shop_items() -> pd.DataFrame:
    """The planted shop's products; every other one, such as the new one, has a picture."""
    items = planted_items()
    pictures = [[1.0, float(place), 2.0] if place % 2 else None for place in range(len(items))]
    return items.assign(image_embedding=pictures)


def weeks() -> list[pd.DataFrame]:
    """The log before, and the two weeks after."""
    frame = shop_events()
    day = (frame["timestamp"] - START) / DAY
    bounds = [0, KNOWN_DAYS, KNOWN_DAYS + 7, KNOWN_DAYS + 14]
    return [frame[(day >= low) & (day < high)] for low, high in itertools.pairwise(bounds)]


def make_shop(folder: Path) -> Shop:
    """Trains and exports the shop as it is before its first update."""
    config = small_experiment(
        folder,
        data={"valid_days": 14, "test_days": 7, "context_columns": ["country"], "shards": 2},
        retrieval={
            "memory_neighbours": 4,
            "trend_days": [7],
            "cold_start": True,
            "repeat_bonus": True,
            "training": {"epochs": 2, "tensorboard": False},
        },
        ranking={"training": {"epochs": 2, "tensorboard": False}},
        export={"k": 5, "warmup_records": 1, "keep_versions": 3},
        # A model of two epochs is hardly calibrated.
        update={
            "train_days": 0,
            "epochs": 1,
            "ranking_epochs": 1,
            "most_slower": 1000.0,  # Whatever else runs: the rule is asked, and holds.
            "cutoff": 5,
            "most_calibration_error": 1.0,
        },
    )
    known, *later = weeks()
    known.to_parquet(folder / "known.parquet")
    for number, frame in enumerate(later, start=1):
        frame.to_parquet(folder / f"week{number}.parquet", index=False)
    items = shop_items()
    is_new = items["item_id"] == NEW_ITEM
    items[~is_new].to_parquet(folder / "items.parquet")
    items[is_new].to_parquet(folder / "new.parquet")
    dataset = prepare_dataset(
        folder / "known.parquet", folder / "items.parquet", folder / "data", config.data
    )
    run_retrieval(dataset, folder / "run", config)
    run_ranking(dataset, folder / "run", config)
    export_run(folder / "run", folder / "models")
    return Shop(folder, config)
