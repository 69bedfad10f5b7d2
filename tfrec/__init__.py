"""tfrec: an end-to-end recommender for shops, on TensorFlow.

The names below are what notebooks use; each is imported when it is first asked for, so that
`import tfrec` itself stays light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfrec import runtime as runtime

if TYPE_CHECKING:
    from tfrec.api.ab_tests import simulate_ab_test
    from tfrec.api.datasets import load_dataset
    from tfrec.api.drift import replay_drift
    from tfrec.api.experiments import configure
    from tfrec.api.launching import forecast_launches, refresh_index
    from tfrec.api.recommender import Recommender
    from tfrec.api.shoppers import Shopper, find_shoppers
    from tfrec.api.tables import tabulate
    from tfrec.api.texts import TextReader
    from tfrec.api.training_logs import read_scalars
    from tfrec.data.sample import sample_path

__version__ = "0.1.0"
__all__ = [
    "Recommender",
    "Shopper",
    "TextReader",
    "configure",
    "find_shoppers",
    "forecast_launches",
    "load_dataset",
    "read_scalars",
    "refresh_index",
    "replay_drift",
    "sample_path",
    "simulate_ab_test",
    "tabulate",
]

_HOMES = {
    "Recommender": "tfrec.api.recommender",
    "Shopper": "tfrec.api.shoppers",
    "TextReader": "tfrec.api.texts",
    "configure": "tfrec.api.experiments",
    "find_shoppers": "tfrec.api.shoppers",
    "forecast_launches": "tfrec.api.launching",
    "load_dataset": "tfrec.api.datasets",
    "read_scalars": "tfrec.api.training_logs",
    "refresh_index": "tfrec.api.launching",
    "replay_drift": "tfrec.api.drift",
    "sample_path": "tfrec.data.sample",
    "simulate_ab_test": "tfrec.api.ab_tests",
    "tabulate": "tfrec.api.tables",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfrec' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
