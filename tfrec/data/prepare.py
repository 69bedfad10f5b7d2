"""Turns an event log and a catalogue into a prepared data set."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import tfrec
from tfrec.config.schema import DataConfig
from tfrec.data import rules, splits
from tfrec.data.adapters import find_adapter
from tfrec.data.catalogue import Catalogue, add_unknown_items, build_catalogue
from tfrec.data.dataset import ITEMS, VALUES_SUFFIX, VOCABULARIES, PreparedDataset
from tfrec.data.events import TypedEvents, type_events
from tfrec.data.log import EventLog, order_log
from tfrec.data.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    Manifest,
    RowCounts,
    SplitSummary,
    TimestampDecision,
    describe_files,
)
from tfrec.data.records import Histories, ragged_rows, write_histories
from tfrec.data.statistics import column_statistics
from tfrec.data.table import Table
from tfrec.data.timestamps import now
from tfrec.data.users import hash_user
from tfrec.errors import UserError
from tfrec.files import atomic_folder, write_json
from tfrec.progress import ProgressBar, progress

VALUE_COLUMNS = ["value", "quantity", "rating"]


def prepare_dataset(
    events: str | Path, items: str | Path, out: str | Path, config: DataConfig
) -> PreparedDataset:
    """Reads, checks, cleans and splits a log and its catalogue, and writes the data set.

    Every row ends either in the data set or, with its reason, in the rejects files. The folder
    `out` appears as a whole when everything is written, or not at all.

    Args:
        events: path or glob of the event log.
        items: path or glob of the catalogue.
        out: the folder to write; replaced if it is an earlier data set.
        config: how to read, clean and split.

    Raises:
        UserError: if an input cannot be used, or `out` cannot be written.
    """
    out = Path(out)
    _check_out(out)
    adapter = find_adapter(config.adapter)
    with progress(description="reading items", total=6, unit="step") as bar:
        item_table = adapter.items(items)
        _next_step(bar, "reading events")
        event_table = adapter.events(events)
        _next_step(bar, "checking rows")
        catalogue = build_catalogue(item_table, config)
        typed = type_events(event_table, config, now=now(), timestamp_unit=adapter.timestamp_unit)
        _next_step(bar, "finding duplicates")
        if config.duplicates == "reject":
            event_table.reject(rules.duplicated_rows(event_table), "duplicate")
        _next_step(bar, "ordering events")
        catalogue, item_index = _match_items(event_table, typed.frame, catalogue, config)
        log = order_log(
            typed.frame,
            event_table.kept,
            item_index,
            event_types=config.event_types,
            value_columns=VALUE_COLUMNS,
            context_columns=config.context_columns,
            salt=config.user_salt,
            by_position=config.split == "leave_one_out",
        )
        _next_step(bar, "splitting")
        log = _apply_log_rules(event_table, log, config)
        target_events = _target_events(log, config)
        periods, log = _split(event_table, log, target_events, config)
        bar.update()
    result = _Result(
        config=config,
        events=event_table,
        items=item_table,
        typed=typed,
        catalogue=catalogue,
        log=log,
        periods=periods,
        target_events=target_events,
    )
    with atomic_folder(out) as folder:
        _write(folder, result)
    return PreparedDataset.open(out)


def _next_step(bar: ProgressBar, description: str) -> None:
    bar.update()
    bar.set_description(description)


@dataclass(frozen=True)
class _Result:
    config: DataConfig
    events: Table
    items: Table
    typed: TypedEvents
    catalogue: Catalogue
    log: EventLog
    periods: splits.Periods
    target_events: list[str]


def _check_out(out: Path) -> None:
    if out.is_file():
        raise UserError(f"{out} is a file; give --out a folder")
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise UserError(
            f"{out} is a folder with other things in it, which would be replaced; give --out a new "
            "folder or an earlier data set"
        )


def _match_items(
    table: Table, frame: pd.DataFrame, catalogue: Catalogue, config: DataConfig
) -> tuple[Catalogue, np.ndarray]:
    codes, ids = pd.factorize(frame["item_id"].where(table.kept))
    known = pd.Index(catalogue.frame["item_id"])
    unknown = known.get_indexer(ids) < 0
    if unknown.any() and config.unknown_items == "keep":
        catalogue = add_unknown_items(catalogue, list(ids[unknown]))
        known = pd.Index(catalogue.frame["item_id"])
    index = np.append(known.get_indexer(ids), -1)[codes]
    table.reject(index < 0, "unknown_item")
    return catalogue, index + 1


def _apply_log_rules(table: Table, log: EventLog, config: DataConfig) -> EventLog:
    _require_events(table, log)
    if config.purchase_event in log.event_types:
        too_early = rules.returns_without_purchase(
            log.user,
            log.item,
            log.is_event([config.purchase_event]),
            log.is_event([config.return_event]),
        )
        log = _drop(table, log, too_early, "return_without_purchase")
    if config.min_user_events > 1 or config.min_item_events > 1:
        outside = rules.below_k_core(
            log.user,
            log.item,
            min_user_events=config.min_user_events,
            min_item_events=config.min_item_events,
        )
        log = _drop(table, log, outside, "below_k_core")
    return log


def _drop(table: Table, log: EventLog, mask: np.ndarray, reason: str) -> EventLog:
    table.reject_rows(log.rows[mask], reason)
    log = log.take(~mask)
    _require_events(table, log)
    return log


def _require_events(table: Table, log: EventLog) -> None:
    if len(log) == 0:
        reasons = ", ".join(f"{reason} {count}" for reason, count in table.counts().items())
        raise UserError(f"no event of {table.label} is left after cleaning ({reasons})")


def _target_events(log: EventLog, config: DataConfig) -> list[str]:
    if config.target_events is None:
        targets = [name for name in log.event_types if name != config.return_event]
        if not targets:
            raise UserError(
                f"all events are of type {config.return_event!r}, which is no target; set "
                "data.target_events"
            )
        return targets
    for name in config.target_events:
        if name not in log.event_types:
            raise UserError(
                f"data.target_events has {name!r}, which is no event of the log; its events are "
                f"{', '.join(log.event_types)}"
            )
    return list(config.target_events)


def _split(
    table: Table, log: EventLog, target_events: list[str], config: DataConfig
) -> tuple[splits.Periods, EventLog]:
    is_target = log.is_event(target_events)
    if config.split == "temporal":
        periods = splits.temporal(
            log.microseconds, valid_days=config.valid_days, test_days=config.test_days
        )
    else:
        periods = splits.leave_one_out(log.user, is_target)
    unused = splits.unused_events(splits.cut(log.user, periods.period, is_target))
    periods = replace(periods, period=periods.period[~unused])
    return periods, _drop(table, log, unused, "no_target_in_period")


def _write(folder: Path, result: _Result) -> None:
    log, config = result.log, result.config
    is_target = log.is_event(result.target_events)
    cuts = splits.cut(log.user, result.periods.period, is_target)
    in_train = result.periods.period == splits.TRAIN
    vocabularies = {
        name: sorted({value for value in values[in_train] if value is not None})
        for name, values in log.context.items()
    }
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
            folder / split, histories, shards=config.shards, targets=number != splits.TRAIN
        )
        in_period = result.periods.period == number
        starts = {splits.VALID: result.periods.valid_start, splits.TEST: result.periods.test_start}
        summaries[split] = SplitSummary(
            shoppers=len(histories),
            events=int(in_period.sum()),
            target_events=int((in_period & is_target).sum()),
            shards=len(paths),
            starts=_iso(starts.get(number)),
        )
    items = _item_table(result, in_train & is_target)
    items.to_parquet(folder / ITEMS, index=False)
    categories = {
        name: sorted({value for row in items[f"{name}{VALUES_SUFFIX}"] for value in row})
        for name in result.catalogue.categorical_columns
    }
    write_json(
        folder / VOCABULARIES,
        {"events": log.event_types, "context": vocabularies, "categories": categories},
    )
    _write_rejects(folder / "rejects", result)
    _manifest(folder, result, items, vocabularies, summaries, int(recorded.sum())).write(folder)


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


def _item_table(result: _Result, in_train: np.ndarray) -> pd.DataFrame:
    log = result.log
    items = result.catalogue.frame.copy()
    items["train_events"] = np.bincount(log.item[in_train] - 1, minlength=len(items))
    first = np.full(len(items), np.iinfo(np.int64).max)
    np.minimum.at(first, log.item[in_train] - 1, log.microseconds[in_train] // 1_000_000)
    items["first_seen_train"] = np.where(items["train_events"] > 0, first, 0)
    return items


def _write_rejects(folder: Path, result: _Result) -> None:
    folder.mkdir()
    users = result.typed.frame["user_id"]

    def hashed(rows: np.ndarray) -> pa.Array:
        taken = users.iloc[rows]
        return pa.array(
            [
                hash_user(user, result.config.user_salt) if isinstance(user, str) else None
                for user in taken
            ],
            pa.string(),
        )

    pq.write_table(result.events.rejected(hashed), folder / "events.parquet", compression="zstd")
    pq.write_table(result.items.rejected(), folder / "items.parquet", compression="zstd")


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


def _iso(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return str(np.datetime64(microseconds, "us").astype("datetime64[s]"))


def _manifest(
    folder: Path,
    result: _Result,
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


def _timestamp_decision(result: _Result) -> TimestampDecision | None:
    if result.typed.timestamps is None:
        return None
    return TimestampDecision(
        column="timestamp",
        unit=result.typed.timestamps.unit,
        evidence=result.typed.timestamps.evidence,
        first=str(_iso(int(result.log.microseconds.min()))),
        last=str(_iso(int(result.log.microseconds.max()))),
    )


def _notes(result: _Result, items: pd.DataFrame) -> list[str]:
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
