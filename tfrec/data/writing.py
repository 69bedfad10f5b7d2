"""Writes a cleaned log and catalogue as the files of a data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import tfrec
from tfrec.config.data import DataConfig
from tfrec.data import splits
from tfrec.data.catalogue import Catalogue
from tfrec.data.dataset import ITEMS, VALUES_SUFFIX, VOCABULARIES
from tfrec.data.events import TypedEvents
from tfrec.data.history_files import write_histories
from tfrec.data.log import EventLog
from tfrec.data.manifest import (
    FORMAT_VERSION,
    Manifest,
    RowCounts,
    SplitSummary,
    TimestampDecision,
    describe_files,
)
from tfrec.data.records import Histories, ragged_rows
from tfrec.data.statistics import column_statistics
from tfrec.data.table import Table
from tfrec.data.users import hash_user
from tfrec.files import write_json


@dataclass(frozen=True)
class Cleaned:
    """A log and a catalogue, cleaned and split: what a data set is written from.

    Attributes:
        config: how they were read, cleaned and split.
        events: the rows of the log, with the verdict on each.
        items: those of the catalogue.
        typed: the events as typed columns.
        catalogue: the items that stay.
        log: the events that stay, in order.
        periods: the split that each of them is in.
        target_events: event names that count as a hit.
    """

    config: DataConfig
    events: Table
    items: Table
    typed: TypedEvents
    catalogue: Catalogue
    log: EventLog
    periods: splits.Periods
    target_events: list[str]


@dataclass(frozen=True)
class WrittenSplits:
    """What became of the events of a log.

    Attributes:
        summaries: the size of every split.
        recorded: bool `[n]`, events that a record of some split holds.
    """

    summaries: dict[str, SplitSummary]
    recorded: np.ndarray


def write_dataset(folder: Path, result: Cleaned) -> None:
    """Writes every file of the data set into the empty `folder`, the manifest last."""
    log, config = result.log, result.config
    in_train = result.periods.period == splits.TRAIN
    vocabularies = {
        name: sorted({value for value in values[in_train] if value is not None})
        for name, values in log.context.items()
    }
    written = write_splits(
        folder, log, result.periods, vocabularies, result.target_events, shards=config.shards
    )
    is_target = log.is_event(result.target_events)
    items = with_train_counts(result.catalogue.frame, log, in_train & is_target)
    items.to_parquet(folder / ITEMS, index=False)
    categories = {
        name: sorted({value for row in items[f"{name}{VALUES_SUFFIX}"] for value in row})
        for name in result.catalogue.categorical_columns
    }
    write_json(
        folder / VOCABULARIES,
        {"events": log.event_types, "context": vocabularies, "categories": categories},
    )
    write_rejects(folder / "rejects", result.events, result.items, result.typed, config.user_salt)
    rows = int(written.recorded.sum())
    _manifest(folder, result, items, vocabularies, written.summaries, rows).write(folder)


def write_splits(
    folder: Path,
    log: EventLog,
    periods: splits.Periods,
    vocabularies: dict[str, list[str]],
    target_events: list[str],
    *,
    shards: int,
) -> WrittenSplits:
    """Writes the records of every split.

    Args:
        folder: of the data set.
        log: the events, in order.
        periods: the split that each of them is in.
        vocabularies: by context column, the values that have a number, from 1.
        target_events: event names that count as a hit.
        shards: files a split.
    """
    is_target = log.is_event(target_events)
    cuts = splits.cut(log.user, periods.period, is_target)
    context = {
        name: (pd.Index(vocabularies[name], dtype=object).get_indexer(values) + 1).astype(np.int32)
        for name, values in log.context.items()
    }
    summaries = {}
    recorded = np.zeros(len(log), dtype=bool)
    for number, split in enumerate(splits.SPLITS):
        histories, rows = _histories(log, context, cuts, number)
        recorded[rows] = True
        paths = write_histories(
            folder / split, histories, shards=shards, targets=number != splits.TRAIN
        )
        in_period = periods.period == number
        starts = {splits.VALID: periods.valid_start, splits.TEST: periods.test_start}
        summaries[split] = SplitSummary(
            shoppers=len(histories),
            events=int(in_period.sum()),
            target_events=int((in_period & is_target).sum()),
            shards=len(paths),
            starts=iso_time(starts.get(number)),
        )
    return WrittenSplits(summaries, recorded)


def _histories(
    log: EventLog, context: dict[str, np.ndarray], cuts: splits.Cuts, split: int
) -> tuple[Histories, np.ndarray]:
    """Returns the records of a split, and which events of the log they hold (with repeats)."""
    seconds = log.microseconds // 1_000_000
    history_end = cuts.valid if split <= splits.VALID else cuts.test
    target_end = {splits.TRAIN: cuts.valid, splits.VALID: cuts.test, splits.TEST: cuts.end}[split]
    chosen = np.flatnonzero(cuts.in_split[split])
    offsets, rows = ragged_rows(cuts.start[chosen], history_end[chosen])
    target_offsets, target_rows = ragged_rows(history_end[chosen], target_end[chosen])
    histories = Histories(
        user=log.user_hashes[log.user[cuts.start[chosen]]],
        offsets=offsets,
        item=log.item[rows],
        event=log.event[rows],
        timestamp=seconds[rows],
        value=log.value[rows],
        context={name: values[rows] for name, values in context.items()},
        target_offsets=target_offsets,
        target_item=log.item[target_rows],
        target_event=log.event[target_rows],
        target_timestamp=seconds[target_rows],
    )
    return histories, np.concatenate([rows, target_rows])


def with_train_counts(items: pd.DataFrame, log: EventLog, chosen: np.ndarray) -> pd.DataFrame:
    """Returns an item table with what the training log says of each item.

    Args:
        items: the item table; row `r` is item index `r + 1`.
        log: the events.
        chosen: bool `[n]`, the training events of target types.
    """
    items = items.copy()
    items["train_events"] = np.bincount(log.item[chosen] - 1, minlength=len(items))
    first = np.full(len(items), np.iinfo(np.int64).max)
    np.minimum.at(first, log.item[chosen] - 1, log.microseconds[chosen] // 1_000_000)
    items["first_seen_train"] = np.where(items["train_events"] > 0, first, 0)
    return items


def write_rejects(
    folder: Path, events: Table, items: Table | None, typed: TypedEvents, salt: str
) -> None:
    """Writes the rejected rows with their reasons; user ids are hashed.

    Args:
        folder: made.
        events: the rows of the log.
        items: those of the catalogue, if there is one.
        typed: the events as typed columns.
        salt: of the user hashes.
    """
    folder.mkdir()
    users = typed.frame["user_id"]

    def hashed(rows: np.ndarray) -> pa.Array:
        taken = users.iloc[rows]
        return pa.array(
            [hash_user(user, salt) if isinstance(user, str) else None for user in taken],
            pa.string(),
        )

    pq.write_table(events.rejected(hashed), folder / "events.parquet", compression="zstd")
    if items is not None:
        pq.write_table(items.rejected(), folder / "items.parquet", compression="zstd")


def _row_counts(table: Table, rows_kept: int) -> RowCounts:
    rejected = table.counts()
    counts = RowCounts(
        rows_in=len(table),
        rows_kept=rows_kept,
        rows_rejected=sum(rejected.values()),
        rejected=rejected,
        examples=table.examples(),
    )
    if counts.rows_in != counts.rows_kept + counts.rows_rejected:
        raise RuntimeError(
            f"rows of {table.label} went missing: {counts.rows_in} in, {counts.rows_kept} kept, "
            f"{counts.rows_rejected} rejected"
        )
    return counts


def iso_time(microseconds: int | None) -> str | None:
    """Returns unix microseconds as text, to the second."""
    if microseconds is None:
        return None
    return str(np.datetime64(microseconds, "us").astype("datetime64[s]"))


def _manifest(
    folder: Path,
    result: Cleaned,
    items: pd.DataFrame,
    vocabularies: dict[str, list[str]],
    summaries: dict[str, SplitSummary],
    rows_recorded: int,
) -> Manifest:
    log = result.log
    events = np.bincount(log.event, minlength=len(log.event_types) + 1)[1:]
    added = len(items) - int(result.items.kept.sum())
    return Manifest(
        format_version=FORMAT_VERSION,
        tfrec_version=tfrec.__version__,
        config=result.config,
        sources={"events": result.events.files, "items": result.items.files},
        events=_row_counts(result.events, rows_recorded),
        items=_row_counts(result.items, len(items) - added),
        num_users=len(np.unique(log.user)),
        num_items=len(items),
        event_types=log.event_types,
        target_events=result.target_events,
        event_counts=dict(zip(log.event_types, events.tolist(), strict=True)),
        timestamps=_timestamp_decision(result),
        context_vocabularies=vocabularies,
        categorical_columns=result.catalogue.categorical_columns,
        splits=summaries,
        statistics={
            "events": column_statistics(result.typed.frame.iloc[log.rows]),
            "items": column_statistics(items),
        },
        notes=_notes(result, items),
        files=describe_files(folder),
    )


def _timestamp_decision(result: Cleaned) -> TimestampDecision | None:
    if result.typed.timestamps is None:
        return None
    return TimestampDecision(
        column="timestamp",
        unit=result.typed.timestamps.unit,
        evidence=result.typed.timestamps.evidence,
        first=str(iso_time(int(result.log.microseconds.min()))),
        last=str(iso_time(int(result.log.microseconds.max()))),
    )


def _notes(result: Cleaned, items: pd.DataFrame) -> list[str]:
    notes = list(result.catalogue.notes)
    if eventless := len(items) - len(np.unique(result.log.item)):
        notes.append(f"{eventless} items have no events; they stay in the catalogue")
    if untrained := int((items["train_events"] == 0).sum()):
        notes.append(f"{untrained} items have no target event in train")
    config, log = result.config, result.log
    if config.return_event in log.event_types and config.purchase_event not in log.event_types:
        notes.append(
            f"events {config.return_event!r} were not checked against earlier purchases: the log "
            f"has no event {config.purchase_event!r} (data.purchase_event)"
        )
    return notes
