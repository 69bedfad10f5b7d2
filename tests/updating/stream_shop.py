"""A shop that updates take events in for without training: the verdict is given beforehand."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.training.planted_shop import DAY, START, prepare_planted
from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.export.versions import MODELS
from tfrec.updating.gate import Verdict
from tfrec.updating.generation import Generation
from tfrec.updating.log import log_of
from tfrec.updating.sources.source import Origin
from tfrec.updating.state import UpdateState
from tfrec.updating.update import Updated, update

END = START + 100 * DAY
VERSION = 1
UNTRAINED = Verdict(False, "nothing was trained", [])


@dataclass(frozen=True)
class StreamShop:
    """Where its files are.

    Attributes:
        folder: holds `models`, `state` and `events`.
    """

    folder: Path

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def state(self) -> UpdateState:
        return UpdateState(self.folder / "state")

    @property
    def events(self) -> Path:
        return self.folder / "events"

    def take(self, files: str, origin: Origin) -> Updated:
        """Gives a batch to an update."""
        return update(self.models, self.state.folder, files, origin=origin)

    def log(self) -> pd.DataFrame:
        """Returns the events that were taken in, as the newest data set has them."""
        home = self.state
        log = log_of(PreparedDataset.open(home.newest_data(home.ledger())))
        return log[log["microseconds"] >= END * 1_000_000]


def stream_shop(folder: Path) -> StreamShop:
    """Makes the shop."""
    config = ExperimentConfig(
        data={"valid_days": 12, "test_days": 12, "context_columns": ["country"], "shards": 1},
        update={"valid_days": 2, "gate_days": 1, "gap_days": 1000, "keep_generations": 2},
    )
    dataset = prepare_planted(folder / "planted", shoppers=30, shards=1)
    for name in MODELS:
        (folder / "models" / name / str(VERSION)).mkdir(parents=True)
    (folder / "events").mkdir()
    shop = StreamShop(folder)
    with shop.state.locked():
        shop.state.begin(folder / "run", dataset.path, VERSION, config)
    return shop


def without_training(monkeypatch) -> None:
    """Lets updates grow the data set, and leave the models."""
    monkeypatch.setattr(Generation, "verdict", lambda generation, on_step: UNTRAINED)


def event(number: int) -> dict[str, object]:
    """Returns an event that no other number has."""
    return {
        "user_id": f"u{number % 30}",
        "item_id": f"i{number % 40:02}",
        "event": "purchase",
        "timestamp": END + 60 * number,
        "country": "UK",
    }


def lines(numbers: Iterable[int]) -> bytes:
    """Returns events as JSON lines."""
    return b"".join(json.dumps(event(number)).encode() + b"\n" for number in numbers)


def numbers_in(log: pd.DataFrame) -> list[int]:
    """Returns which events a log holds."""
    return sorted(((log["microseconds"] // 1_000_000 - END) // 60).tolist())
