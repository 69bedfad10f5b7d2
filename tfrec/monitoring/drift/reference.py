"""Reference statistics: what the traffic looked like that an exported model was made for."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.monitoring.drift.item_profile import ItemProfile
from tfrec.monitoring.drift.shifts import Shift, item_shifts, usual_levels

FOLDER = "assets.extra/tfrec/reference"
STATISTICS = "statistics.json"
ITEMS = "items.parquet"
FORMAT = 1
SECONDS_PER_DAY = 86_400
WINDOW_DAYS = (1, 7)
FEWEST_WINDOWS = 4
MOST_WINDOWS = 60
# A window with less than this share of the typical number of events, such as that of a holiday,
# says nothing about ordinary ones.
SHARE_OF_TYPICAL = 0.2
_QUANTILES = 500


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UsualWindow(_Part):
    """What windows of one length look like in the reference period."""

    events: int
    """Events of the median window."""
    windows: int
    levels: dict[str, float]
    """Highest level of each feature's main statistic."""


class Calibration(_Part):
    """What the probabilities of an event say of shown items, and what came of them."""

    shown: int
    mean_probability: float
    observed: float
    """Share of the shown items that the event happened to."""

    @property
    def ratio(self) -> float:
        """Observed over expected; NaN where nothing was expected."""
        if self.mean_probability <= 0:
            return float("nan")
        return self.observed / self.mean_probability


class ReferenceStatistics(_Part):
    """Statistics of the reference period, and of the models on its shoppers.

    Attributes:
        first: unix seconds of the first event; None where the log has no times.
        last: unix seconds of the last event.
        events: number of events by type.
        usual: by length of the window in days, as a text.
        history_lengths: quantiles of the lengths of the histories that the models were tried on.
        scores: quantiles of the scores of the items that the models showed to these.
        calibration: of the probabilities of these items, by event; empty where it is not known.
    """

    format: int = FORMAT
    first: int | None
    last: int | None
    events: dict[str, int]
    usual: dict[str, UsualWindow]
    history_lengths: list[float] = []
    scores: list[float] = []
    calibration: dict[str, Calibration] = {}

    @field_validator("calibration", mode="before")
    @classmethod
    def _not_of_scores(cls, value: Any) -> Any:
        """Leaves out what earlier versions of tfrec said of scores."""
        of_scores = isinstance(value, dict) and "mean_score" in value
        return {} if value is None or of_scores else value


@dataclass(frozen=True)
class Reference:
    """The statistics with the items that they are about."""

    statistics: ReferenceStatistics
    items: ItemProfile

    def shifts(self, live: np.ndarray) -> dict[str, Shift]:
        """Compares which items shoppers do something with, counts int `[n]`."""
        return item_shifts(self.items, self.items.events, live)

    def usual(self, days: float) -> UsualWindow | None:
        """Returns what windows of this length, or the nearest one that is known, look like."""
        known = self.statistics.usual
        if not known:
            return None
        nearest = min(known, key=lambda length: abs(np.log(int(length) / days)))
        return known[nearest]

    def write(self, folder: Path) -> None:
        """Writes the reference into `folder`, which is made."""
        folder.mkdir(parents=True)
        self.items.write(folder / ITEMS)
        write_json(folder / STATISTICS, self.statistics.model_dump(mode="json"))

    @classmethod
    def open(cls, version: Path) -> "Reference | None":
        """Reads the reference of an exported version, or returns None if it has none.

        Args:
            version: the version's folder of the retrieval model.

        Raises:
            UserError: as `read` does.
        """
        folder = version / FOLDER
        return cls.read(folder) if folder.is_dir() else None

    @classmethod
    def read(cls, folder: Path) -> "Reference":
        """Reads what `write` wrote.

        Raises:
            UserError: if the folder holds no reference, or that of another version of tfrec.
        """
        content = read_json(folder / STATISTICS)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UserError(
                f"{folder / STATISTICS} is not of this version of tfrec (format {FORMAT}); export "
                "the run again"
            )
        try:
            statistics = ReferenceStatistics.model_validate(content)
            return cls(statistics, ItemProfile.read(folder / ITEMS))
        except (ValidationError, OSError, KeyError, ValueError) as error:
            raise UserError(
                f"the reference statistics in {folder} are damaged ({error}); copy the models "
                "folder again, or export the run again"
            ) from error


def quantiles(values: np.ndarray) -> list[float]:
    """Returns at most 500 values that are spread as `values` are, in ascending order."""
    if len(values) <= _QUANTILES:
        return np.sort(values).astype(float).tolist()
    places = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    return np.quantile(values, places).astype(float).tolist()


def usual_windows(
    items: ItemProfile, item: np.ndarray, timestamp: np.ndarray
) -> dict[str, UsualWindow]:
    """Returns what windows of the lengths `WINDOW_DAYS` look like in a log.

    Args:
        items: the items.
        item: int `[events]`, row of each event's item.
        timestamp: int `[events]`, unix seconds.
    """
    usual = {}
    for days in WINDOW_DAYS:
        windows = list(_windows(item, timestamp, len(items), days * SECONDS_PER_DAY))
        typical = float(np.median([window.sum() for window in windows])) if windows else 0.0
        ordinary = [window for window in windows if window.sum() >= SHARE_OF_TYPICAL * typical]
        if len(ordinary) < FEWEST_WINDOWS:
            continue
        some = np.unique(np.linspace(0, len(ordinary) - 1, MOST_WINDOWS).round().astype(int))
        levels = usual_levels(
            [ordinary[place] for place in some],
            lambda reference, live: item_shifts(items, reference, live),
        )
        usual[str(days)] = UsualWindow(events=int(typical), windows=len(some), levels=levels)
    return usual


def _windows(
    item: np.ndarray, timestamp: np.ndarray, num_items: int, seconds: int
) -> Iterator[np.ndarray]:
    """Yields counts int `[num_items]` of whole windows, counted back from the last event."""
    if not len(timestamp):
        return
    number = (int(timestamp.max()) - timestamp) // seconds
    whole = (int(timestamp.max()) - int(timestamp.min())) // seconds
    order = np.argsort(number, kind="stable")
    bounds = np.searchsorted(number[order], np.arange(whole + 1))
    for start, end in itertools.pairwise(bounds):
        if end > start:
            yield np.bincount(item[order[start:end]], minlength=num_items)
