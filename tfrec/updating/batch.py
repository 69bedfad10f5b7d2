"""Takes in a batch of new events and products: checks every row, and says what became of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.config import DataConfig, ExperimentConfig
from tfrec.data import rules
from tfrec.data.adapters import find_adapter
from tfrec.data.catalogue import Catalogue, add_unknown_items
from tfrec.data.dataset import ITEMS, PreparedDataset
from tfrec.data.events import TypedEvents, type_events
from tfrec.data.log import EventLog, order_log
from tfrec.data.prepare import VALUE_COLUMNS
from tfrec.data.schema import EVENT_NUMBERS, EVENT_TEXTS
from tfrec.data.table import Table
from tfrec.data.timestamps import now
from tfrec.data.writing import iso_time, write_rejects
from tfrec.errors import UserError
from tfrec.export.merging import OF_THE_LOG, merge_items
from tfrec.export.refresh import read_new_items
from tfrec.files import atomic_folder, write_json
from tfrec.updating.batch_record import POSITION, RECORD, BatchRecord, content_of
from tfrec.updating.batch_rules import (
    KNOWN,
    ROBOT,
    reject_known,
    reject_returns,
    reject_robots,
    reject_wrong_clocks,
)
from tfrec.updating.log import table_of_log
from tfrec.updating.sources.source import Origin

EVENTS = "events.parquet"
REJECTS = "rejects"


def take_in(
    events: str | Path,
    items: str | Path | None,
    folder: Path,
    dataset: PreparedDataset,
    log: pd.DataFrame,
    config: ExperimentConfig,
    *,
    content: str | None = None,
    origin: Origin | None = None,
) -> BatchRecord:
    """Reads and checks a batch, and writes what is accepted and what is not into a folder.

    Nothing of the source files is needed afterwards. Accepted events and rejected rows carry salted
    hashes in place of user ids.

    Args:
        events: path or glob of the events.
        items: the same of products, or None.
        folder: to write, whole or not at all.
        dataset: the data set that the events join.
        log: its log.
        config: the experiment, with the salt that made the data set.
        content: `content_of` the files, where it is known; None reads them for it.
        origin: the part of a followed source that the files are, or None.

    Raises:
        UserError: if a file cannot be used, or most of its rows cannot.
    """
    data = config.data.model_copy(update={"event_types": dataset.event_types})
    table, merged, counts = _items(items, dataset, data)
    adapter = find_adapter(data.adapter)
    event_table = adapter.events(events)
    typed = type_events(event_table, data, now=now(), timestamp_unit=adapter.timestamp_unit)
    if data.duplicates == "reject":
        event_table.reject(rules.duplicated_rows(event_table), "duplicate")
    reject_robots(event_table, typed.frame, config.update.most_events)
    reject_wrong_clocks(event_table, typed.frame, log, config.update.gap_days)
    merged, index = _match_items(event_table, typed.frame, merged, data)
    accepted = _ordered(event_table, typed, index, dataset, data)
    accepted = reject_known(event_table, accepted, log, data)
    accepted = reject_returns(event_table, accepted, log, data)
    counts["items_new"] = len(merged) - dataset.num_items
    content = content_of(events, items) if content is None else content
    record = _record(content, event_table, table, accepted, log, counts, _unused(event_table))
    if origin is not None:
        record = replace(record, source=origin.to_json())
    _refuse_mostly_wrong(record, event_table, config.update.most_rejected)
    with atomic_folder(folder) as temporary:
        table_of_log(accepted).to_parquet(temporary / EVENTS, index=False, compression="zstd")
        merged.to_parquet(temporary / ITEMS, index=False)
        write_rejects(temporary / REJECTS, event_table, table, typed, data.user_salt)
        write_json(temporary / RECORD, record.to_json())
        if origin is not None:
            write_json(temporary / POSITION, {origin.source: origin.after})
    return record


def _items(
    source: str | Path | None, dataset: PreparedDataset, config: DataConfig
) -> tuple[Table | None, pd.DataFrame, dict[str, int]]:
    if source is None:
        return None, dataset.items, {"items_changed": 0}
    table, catalogue = read_new_items(source, config)
    merged = merge_items(dataset.items, table, catalogue.frame, config.text_columns)
    return table, merged.frame, {"items_changed": merged.changed}


def _match_items(
    table: Table, frame: pd.DataFrame, items: pd.DataFrame, config: DataConfig
) -> tuple[pd.DataFrame, np.ndarray]:
    ids = frame["item_id"].where(table.kept)
    if config.unknown_items == "keep":
        fresh = sorted(set(ids.dropna()) - set(items["item_id"]))
        if fresh:
            known = items.iloc[:0].drop(columns=list(OF_THE_LOG))
            bare = add_unknown_items(Catalogue(known, [], []), fresh).frame
            bare = bare.assign(**dict.fromkeys(OF_THE_LOG, 0))
            items = pd.concat([items, bare[items.columns]], ignore_index=True)
    index = pd.Index(items["item_id"]).get_indexer(ids)
    table.reject(index < 0, "unknown_item")
    return items, index + 1


def _ordered(
    table: Table,
    typed: TypedEvents,
    index: np.ndarray,
    dataset: PreparedDataset,
    config: DataConfig,
) -> EventLog:
    return order_log(
        typed.frame,
        table.kept,
        index,
        event_types=dataset.event_types,
        value_columns=VALUE_COLUMNS,
        context_columns=config.context_columns,
        salt=config.user_salt,
        by_position=False,
    )


def _unused(table: Table) -> list[str]:
    known = {*EVENT_TEXTS, *EVENT_NUMBERS, "timestamp", "order_id", "session_id", "price"}
    if table.columns is not table.raw:
        return []  # An adapter chose the columns.
    return [name for name in table.columns.column_names if name not in known]


def _record(
    content: str,
    events: Table,
    items: Table | None,
    accepted: EventLog,
    log: pd.DataFrame,
    counts: dict[str, int],
    unused: list[str],
) -> BatchRecord:
    end = int(log["microseconds"].max())
    times = accepted.microseconds
    notes = []
    unused = [name for name in unused if name not in accepted.context]
    if unused:
        notes.append(f"columns that no setting names were not read: {', '.join(unused)}")
    return BatchRecord(
        content=content,
        events=events.files,
        items=[] if items is None else items.files,
        rows_in=len(events),
        accepted=len(accepted),
        rejected=events.counts(),
        late=int((times <= end).sum()),
        first=iso_time(int(times.min())) if len(times) else None,
        last=iso_time(int(times.max())) if len(times) else None,
        items_in=0 if items is None else len(items),
        items_rejected={} if items is None else items.counts(),
        notes=notes,
        items_new=counts["items_new"],
        items_changed=counts["items_changed"],
    )


def _refuse_mostly_wrong(record: BatchRecord, table: Table, most: float) -> None:
    # A batch that comes again, and a robot's clicks, say nothing against the other rows.
    judged = record.rows_in - sum(record.rejected.get(name, 0) for name in (KNOWN, ROBOT))
    wrong = judged - record.accepted
    if wrong > most * judged:
        reasons = ", ".join(f"{name} {count}" for name, count in record.rejected.items())
        raise UserError(
            f"{wrong:,} of {judged:,} rows of {table.label} cannot be used ({reasons}), so the "
            "batch is refused and nothing changed; check where the file comes from, or raise "
            "update.most_rejected"
        )
