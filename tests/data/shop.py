"""A tiny shop whose prepared form is worked out by hand, and tables of raw rows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from tfrec.config.data import DataConfig
from tfrec.data.table import Table

DAY = 86_400
START = 1_700_000_000  # 2023-11-14T22:13:20Z


def events_frame(rows, columns=("user_id", "item_id", "timestamp", "event", "quantity", "country")):
    """Rows of (user, item, day, event, quantity, country) with the day as unix seconds."""
    frame = pd.DataFrame(rows, columns=list(columns))
    frame["timestamp"] = START + (frame["timestamp"] * DAY).astype("int64")
    return frame


def small_events():
    """Train is before day 80, validation days 80 to 90, test after it (the last event: day 100)."""
    return events_frame(
        [
            ("ann", "a", 1, "purchase", 2, "NL"),
            ("ann", "b", 2, "purchase", 1, "NL"),
            ("ann", "a", 3, "return", 1, "NL"),
            ("ann", "c", 85, "purchase", 1, "NL"),
            ("ann", "a", 95, "purchase", 4, "NL"),
            ("ann", "d", 96, "purchase", 1, "DE"),
            ("bob", "b", 5, "purchase", 1, "UK"),
            ("bob", "b", 97, "return", 1, "UK"),
            ("cat", "d", 99, "purchase", 1, "FR"),
            ("dan", "a", 82, "purchase", 3, "UK"),
            ("eve", "a", 100, "purchase", 1, "UK"),
        ]
    )


def small_items():
    return pd.DataFrame(
        {
            "item_id": ["d", "a", "b", "c", "unsold"],
            "title": ["Dish", "Apron", "Bowl", "Cup", "Umbrella"],
            "brand": ["Delft", "", "Delft", "Acme", None],
            "categories": ["kitchen,blue", "kitchen", "", "kitchen", None],
            "price": [4.0, 1.5, np.nan, 2.0, 9.0],
        }
    )


def small_config(**changes):
    settings = {"valid_days": 10, "test_days": 10, "context_columns": ["country"], "shards": 2}
    return DataConfig(**{**settings, **changes})


def write_frame(frame: pd.DataFrame, path: Path) -> Path:
    """Writes a frame in the format of the file name."""
    if path.name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    elif ".csv" in path.name:
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


def write_small(folder: Path, *, events=None, items=None) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    events = small_events() if events is None else events
    items = small_items() if items is None else items
    return (
        write_frame(events, folder / "events.parquet"),
        write_frame(items, folder / "items.parquet"),
    )


def table_of(**columns) -> Table:
    """A table of raw rows, as a reader gives it."""
    raw = pa.table(columns)
    size = raw.num_rows
    return Table(raw, ["log.csv"], np.zeros(size, np.int32), np.arange(size))


def json_lines(path: Path, records) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path
