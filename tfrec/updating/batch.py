"""Takes in a batch of new events and products: checks every row, and says what became of it."""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

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
from tfrec.data.readers import resolve
from tfrec.data.schema import EVENT_NUMBERS, EVENT_TEXTS
from tfrec.data.table import Table
from tfrec.data.timestamps import now
from tfrec.data.writing import iso_time, write_rejects
from tfrec.errors import UserError
from tfrec.export.merging import OF_THE_LOG, merge_items
from tfrec.export.refresh import read_new_items
from tfrec.files import atomic_folder, read_json, sha256_of_file, write_json
from tfrec.updating.log import table_of_log
from tfrec.updating.sources.source import Origin, Position

EVENTS = "events.parquet"
RECORD, POSITION = "batch.json", "position.json"
REJECTS = "rejects"
KNOWN, ROBOT, WRONG_CLOCK = "already_known", "too_many_events", "clock_ahead"
FEW = 0.01
"""What lies beyond a gap is left out up to this share of a batch, as the fault of a clock."""
MANY = 0.5
"""From this share on it is the shop that went on after a while."""
DAY_MICROSECONDS = 86_400_000_000


@dataclass(frozen=True)
class BatchRecord:
    """What is known of a batch that was taken in.

    Attributes:
        content: `content_of` the files.
        events: names of the files with events.
        items: names of those with products.
        rows_in: rows of the files with events.
        accepted: rows among them that joined the log.
        rejected: the others by reason.
        late: accepted events from before the end of the log as it was.
        first: time of the first accepted event, or None.
        last: that of the last one.
        items_in: rows of the files with products.
        items_rejected: those that cannot be used, by reason.
        items_new: products that were not known.
        items_changed: known ones that changed.
        notes: what else the user should know.
        source: the part of a followed source that it is, or None.
    """

    content: str
    events: list[str]
    items: list[str]
    rows_in: int
    accepted: int
    rejected: dict[str, int]
    late: int
    first: str | None
    last: str | None
    items_in: int
    items_rejected: dict[str, int]
    items_new: int
    items_changed: int
    notes: list[str]
    source: dict[str, Any] | None = None

    @classmethod
    def open(cls, folder: Path) -> "BatchRecord":
        """Reads the record of a batch's folder."""
        return cls(**read_json(folder / RECORD))

    @property
    def changes_something(self) -> bool:
        """Whether anything in it is new."""
        return bool(self.accepted or self.items_new or self.items_changed)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)


def position_of(folder: Path) -> dict[str, Position]:
    """Returns how far a source is read with the batch in a folder, by the source's name.

    It is written together with the batch, so neither can be there without the other. Empty for a
    batch that comes from no followed source.
    """
    path = folder / POSITION
    return read_json(path) if path.is_file() else {}


def content_of(events: str | Path, items: str | Path | None) -> str:
    """Returns SHA-256 over the content of the files, whatever their names and order.

    Raises:
        UserError: if there is no such file.
    """
    digest = hashlib.sha256()
    for role, source in (("events", events), ("items", items)):
        if source is not None:
            sums = sorted(sha256_of_file(path) for path in resolve(source, role))
            digest.update(f"{role} {' '.join(sums)}\n".encode())
    return digest.hexdigest()


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
    _reject_robots(event_table, typed.frame, config.update.most_events)
    _reject_wrong_clocks(event_table, typed.frame, log, config.update.gap_days)
    merged, index = _match_items(event_table, typed.frame, merged, data)
    accepted = _ordered(event_table, typed, index, dataset, data)
    accepted = _reject_known(event_table, accepted, log, data)
    accepted = _reject_returns(event_table, accepted, log, data)
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


def _reject_robots(table: Table, frame: pd.DataFrame, most: int) -> None:
    users = frame["user_id"].where(table.kept)
    sizes = users.map(users.value_counts())
    table.reject((sizes > most).fillna(False).to_numpy(bool), ROBOT)


def _reject_wrong_clocks(
    table: Table, frame: pd.DataFrame, log: pd.DataFrame, gap_days: int
) -> None:
    """Rejects a few events that come long after all others of batch and log.

    Raises:
        UserError: if they are more than a few, and yet not most of the batch.
    """
    times = frame["timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64)
    mine = times[table.kept]
    if not len(mine):
        return
    gap = gap_days * DAY_MICROSECONDS
    end = int(log["microseconds"].max())
    later = np.sort(np.append(mine[mine > end], end))
    places = np.flatnonzero(np.diff(later) > gap)
    for place in places:
        beyond = len(later) - place - 1
        if beyond <= FEW * len(mine):
            table.reject(table.kept & (times > later[place]), WRONG_CLOCK)
            return
        if beyond < MANY * len(mine):
            raise UserError(
                f"{beyond:,} of {len(mine):,} events of {table.label} come more than {gap_days} "
                f"days after all others, from {iso_time(int(later[place + 1]))} on, so the batch "
                "is refused and nothing changed; set the clock right that wrote them, or raise "
                "update.gap_days if the shop was closed for so long"
            )


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


def _keys(frame: pd.DataFrame) -> pd.MultiIndex:
    """Returns what tells events apart; a prepared log knows seconds and no values."""
    seconds = frame["microseconds"] // 1_000_000
    return pd.MultiIndex.from_arrays(
        [frame["user"].astype("str"), frame["item"], frame["event"], seconds]
    )


def _reject_known(
    table: Table, accepted: EventLog, log: pd.DataFrame, config: DataConfig
) -> EventLog:
    if config.duplicates != "reject" or not len(accepted):
        return accepted
    batch = table_of_log(accepted)
    overlap = log[log["microseconds"] >= int(batch["microseconds"].min()) // 1_000_000 * 1_000_000]
    known = _keys(batch).isin(_keys(overlap)) if len(overlap) else np.zeros(len(batch), bool)
    table.reject_rows(accepted.rows[known], KNOWN)
    return accepted.take(~known)


def _reject_returns(
    table: Table, accepted: EventLog, log: pd.DataFrame, config: DataConfig
) -> EventLog:
    types = accepted.event_types
    if config.purchase_event not in types or config.return_event not in types or not len(accepted):
        return accepted
    batch = table_of_log(accepted).assign(place=np.arange(len(accepted)))
    joint = pd.concat([log[log["user"].isin(batch["user"])].assign(place=-1), batch])
    joint = joint.sort_values(["user", "microseconds"], kind="stable")
    wrong = rules.returns_without_purchase(
        pd.factorize(joint["user"])[0],
        joint["item"].to_numpy(),
        (joint["event"] == types.index(config.purchase_event) + 1).to_numpy(),
        (joint["event"] == types.index(config.return_event) + 1).to_numpy(),
    )
    places = joint["place"].to_numpy()[wrong]
    mask = np.zeros(len(accepted), bool)
    mask[places[places >= 0]] = True
    table.reject_rows(accepted.rows[mask], "return_without_purchase")
    return accepted.take(~mask)


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
