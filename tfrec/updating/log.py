"""The log of a data set as a table that can grow: one row an accepted event."""

from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.data.dataset import PreparedDataset
from tfrec.data.log import EventLog
from tfrec.data.records import Histories, ragged_rows

LOG = "log.parquet"
COLUMNS = ("user", "item", "event", "microseconds", "value")
"""Salted hash, item index from 1, event index from 1, unix time and value; then the context columns
as text, None where it is not known."""


def log_of(dataset: PreparedDataset) -> pd.DataFrame:
    """Returns the log of a data set, shopper by shopper and oldest first.

    An updated data set has it as a file. Of one that was prepared it is put together from the
    records, which hold neither value nor context of held-out events: the value counts as 1, and
    the context as that of the shopper's event before. Events without a target in their period are
    in no record.

    Raises:
        UserError: if a file of the data set is damaged.
    """
    path = dataset.path / LOG
    if path.is_file():
        return pd.read_parquet(path)
    names = {
        column: np.array([None, *values], dtype=object)
        for column, values in dataset.manifest.context_vocabularies.items()
    }
    parts: list[pd.DataFrame] = []
    known: list[np.ndarray] = []
    # The record of the latest split holds everything of a shopper.
    for split in ("test", "valid", "train"):
        histories = dataset.histories(split)
        taken = np.isin(histories.user, np.concatenate(known)) if known else np.zeros(0, bool)
        fresh = np.flatnonzero(~taken) if known else np.arange(len(histories))
        known.append(histories.user)
        parts.append(_rows(histories.select(fresh), names))
    return ordered(pd.concat(parts, ignore_index=True))


def _rows(histories: Histories, names: dict[str, np.ndarray]) -> pd.DataFrame:
    """Returns the events of every shopper, those held out after his history."""
    owner, later_owner = histories.owner, histories.target_owner
    # The last event of each history; the shopper may have none.
    last = np.where(histories.lengths > 0, histories.offsets[1:] - 1, -1)[later_owner]
    columns = {
        "user": histories.user[np.concatenate([owner, later_owner])],
        "item": np.concatenate([histories.item, histories.target_item]),
        "event": np.concatenate([histories.event, histories.target_event]),
        "microseconds": np.concatenate([histories.timestamp, histories.target_timestamp])
        * 1_000_000,
        "value": np.concatenate([histories.value, np.ones(len(later_owner), np.float32)]),
    }
    for column, vocabulary in names.items():
        codes = np.append(histories.context[column], 0)
        columns[column] = vocabulary[np.concatenate([codes[:-1], codes[last]])]
    return pd.DataFrame(columns)


def ordered(log: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows shopper by shopper, oldest first; equal times keep their order."""
    return log.sort_values(["user", "microseconds"], kind="stable", ignore_index=True)


def table_of_log(log: EventLog) -> pd.DataFrame:
    """Returns an event log as such a table, in the same order."""
    return pd.DataFrame(
        {
            "user": log.user_hashes[log.user],
            "item": log.item,
            "event": log.event,
            "microseconds": log.microseconds,
            "value": log.value,
            **log.context,
        }
    )


def event_log(log: pd.DataFrame, event_types: list[str]) -> EventLog:
    """Returns an ordered table as an event log."""
    codes, hashes = pd.factorize(log["user"], sort=True)
    return EventLog(
        user_hashes=np.asarray(hashes, dtype=np.str_),
        event_types=event_types,
        has_time=True,
        rows=np.arange(len(log)),
        user=codes.astype(np.int64),
        item=log["item"].to_numpy(np.int32),
        event=log["event"].to_numpy(np.int32),
        microseconds=log["microseconds"].to_numpy(np.int64),
        value=log["value"].to_numpy(np.float32),
        context={
            name: log[name].astype(object).where(log[name].notna(), None).to_numpy()
            for name in log.columns.drop(list(COLUMNS))
        },
    )


def save_log(log: pd.DataFrame, folder: Path) -> None:
    """Writes the table into the folder of a data set."""
    log.to_parquet(folder / LOG, index=False, compression="zstd")


def without_new_items(histories: Histories, num_items: int) -> Histories:
    """Returns the histories without the events of items that a model has no number for.

    Args:
        histories: without targets.
        num_items: items that the model knows; later ones have larger indices.
    """
    kept = histories.item <= num_items
    if kept.all():
        return histories
    owner = histories.owner[kept]
    sizes = np.bincount(owner, minlength=len(histories))
    offsets, _ = ragged_rows(np.zeros(len(sizes), np.int64), sizes)
    return histories.with_events(offsets, kept)
