"""A small shop for the tests of monitoring: items of two kinds, and a reference about them."""

import json

import numpy as np
import pandas as pd

from tfrec.monitoring.drift.item_profile import ItemProfile
from tfrec.monitoring.drift.reference import (
    Calibration,
    Reference,
    ReferenceStatistics,
    usual_windows,
)

DAY = 86_400
START = 1_700_000_000
ITEMS = 40


def items_frame():
    """Lamps, which are cheap, and dresses, which are not."""
    kinds = ["lamp", "dress"]
    return pd.DataFrame(
        {
            "item_id": [f"item-{i:02}" for i in range(ITEMS)],
            "title": [f"{kinds[i % 2]} number {i}" for i in range(ITEMS)],
            "price": [2.0 + i % 2 * 20 for i in range(ITEMS)],
        }
    )


def vectors():
    random = np.random.default_rng(0)
    kind = np.arange(ITEMS)[:, None] % 2
    return np.hstack([kind, 1 - kind]) + random.normal(0, 0.05, (ITEMS, 2))


def ordinary_events(days=28, a_day=200, seed=1):
    """Returns rows of items and unix seconds: lamps and dresses alike."""
    random = np.random.default_rng(seed)
    item = random.integers(0, ITEMS, days * a_day)
    time = START + np.repeat(np.arange(days), a_day) * DAY + random.integers(0, DAY, days * a_day)
    return item, np.sort(time)


def make_reference(**statistics):
    item, time = ordinary_events()
    counts = np.bincount(item, minlength=ITEMS)
    served = np.where(np.arange(ITEMS) < 10, 100, 0)
    profile = ItemProfile.of(items_frame(), vectors(), counts, served)
    return Reference(
        ReferenceStatistics(
            first=int(time.min()),
            last=int(time.max()),
            events={"purchase": len(item)},
            usual=usual_windows(profile, item, time),
            history_lengths=[float(n) for n in range(20)],
            scores=[n / 100 for n in range(100)],
            calibration={"purchase": Calibration(shown=1000, mean_probability=0.1, observed=0.05)},
            **statistics,
        ),
        profile,
    )


def served_line(time, user="u", number=0, version=1, items=("item-00", "item-01"), **fields):
    """Returns a line of the event log: a list that was served."""
    row = {
        "format": 1,
        "event": "recommendation",
        "time": time,
        "received": time,
        "user": user,
        "recommendation_id": f"{version}-{number:016x}",
        "model": "recommender",
        "model_version": version,
        "variant": None,
        "item_ids": list(items),
        "scores": None,
        "probabilities": None,
        "propensities": None,
        "history_length": 3,
        "history_unknown": 0,
        "degraded": False,
        "latency_ms": 5.0,
    }
    return {**row, **fields}


def event_line(time, item="item-00", event="click", user="u", recommendation=None, **fields):
    """Returns a line of the event log: what a shopper did."""
    row = {
        "format": 1,
        "event": event,
        "time": time,
        "received": time,
        "user": user,
        "item_id": item,
        "recommendation_id": recommendation,
        "model_version": None,
        "position": None,
        "propensity": None,
        "value": None,
        "variant": None,
    }
    return {**row, **fields}


def write_log(folder, lines, name="events-20251122T010000000000Z-0000abcd.jsonl", *, append=False):
    folder.mkdir(exist_ok=True)
    path = folder / name
    with path.open("a" if append else "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path
