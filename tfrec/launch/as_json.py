"""A launch kit as JSON."""

import dataclasses
from typing import Any

import numpy as np

from tfrec.launch.expectations import Launch, LaunchKit
from tfrec.launch.season import WEEKDAYS


def as_json(kit: LaunchKit) -> dict[str, Any]:
    """Returns a launch kit as plain lists and mappings; what is not known is null."""
    plain = dataclasses.asdict(kit)
    plain["launches"] = [_launch(launch) for launch in kit.launches]
    return _finite(plain)


def _launch(launch: Launch) -> dict[str, Any]:
    season = launch.season
    plain = dataclasses.asdict(launch)
    plain["season"] = {
        "best_week": None if season.best_week is None else str(season.best_week),
        "best_weekday": season.best_weekday,
        "week": [round(float(value), 3) for value in season.week],
        "weekday": dict(zip(WEEKDAYS, np.round(season.weekday, 3).tolist(), strict=True)),
        "years": round(season.years, 2),
    }
    return plain


def _finite(value: Any) -> Any:
    """Replaces what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
