"""Writes the data set that a batch makes of another one."""

from pathlib import Path

import numpy as np
import pandas as pd

import tfrec
from tfrec.config import ExperimentConfig
from tfrec.data import splits
from tfrec.data.dataset import ITEMS, VALUES_SUFFIX, VOCABULARIES, PreparedDataset
from tfrec.data.log import EventLog
from tfrec.data.manifest import (
    FORMAT_VERSION,
    Manifest,
    RowCounts,
    TimestampDecision,
    describe_files,
)
from tfrec.data.statistics import column_statistics
from tfrec.data.writing import iso_time, with_train_counts, write_splits
from tfrec.files import atomic_folder, read_json, write_json
from tfrec.updating.batch import EVENTS
from tfrec.updating.batch_record import BatchRecord
from tfrec.updating.log import COLUMNS, event_log, ordered, save_log


def write_grown(
    folder: Path,
    parent: PreparedDataset,
    log: pd.DataFrame,
    batch: Path,
    config: ExperimentConfig,
) -> PreparedDataset:
    """Writes the data set of a log and a batch that joins it, and opens it.

    Items keep their indices and words of vocabularies their numbers; new ones come after the last.
    The newest `update.gate_days` are the test period and the `update.valid_days` before them the
    validation period, so that a week's events are first what models are judged on, then what
    ranking learns from, and then what retrieval learns from.

    Args:
        folder: to write, whole or not at all.
        parent: the data set before.
        log: its log.
        batch: folder that `take_in` wrote.
        config: the experiment.

    Raises:
        UserError: if a period would be empty, or the folder cannot be written.
    """
    record = BatchRecord.open(batch)
    items = pd.read_parquet(batch / ITEMS)
    fresh = pd.read_parquet(batch / EVENTS)
    # The parent's rows first: at equal times they stay before the batch's.
    joined = ordered(pd.concat([log, fresh[log.columns]], ignore_index=True))
    types, targets = parent.event_types, parent.target_events
    everything = event_log(joined, types)
    periods = splits.temporal(
        everything.microseconds,
        valid_days=config.update.valid_days,
        test_days=config.update.gate_days,
    )
    is_target = everything.is_event(targets)
    unused = splits.unused_events(splits.cut(everything.user, periods.period, is_target))
    recorded = everything.take(~unused)
    periods = splits.Periods(periods.period[~unused], periods.valid_start, periods.test_start)
    context = {
        name: _grown(values, joined[name].dropna())
        for name, values in parent.manifest.context_vocabularies.items()
    }
    words = read_json(parent.path / VOCABULARIES)["categories"]
    categories = {
        name: _grown(words[name], items[f"{name}{VALUES_SUFFIX}"].explode().dropna())
        for name in parent.categorical_columns
    }
    in_train = periods.period == splits.TRAIN
    items = with_train_counts(items, recorded, in_train & is_target[~unused])
    with atomic_folder(folder) as temporary:
        written = write_splits(
            temporary, recorded, periods, context, targets, shards=parent.manifest.config.shards
        )
        items.to_parquet(temporary / ITEMS, index=False)
        write_json(
            temporary / VOCABULARIES,
            {"events": types, "context": context, "categories": categories},
        )
        save_log(joined, temporary)
        changes = {"valid_days": config.update.valid_days, "test_days": config.update.gate_days}
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            tfrec_version=tfrec.__version__,
            config=parent.manifest.config.model_copy(update=changes),
            sources={"events": record.events, "items": record.items},
            events=_row_counts(len(log), record, len(joined)),
            items=_item_counts(record, len(items)),
            num_users=len(everything.user_hashes),
            num_items=len(items),
            event_types=types,
            target_events=targets,
            event_counts={
                name: int((joined["event"] == number).sum())
                for number, name in enumerate(types, start=1)
            },
            timestamps=_timestamps(everything, record),
            context_vocabularies=context,
            categorical_columns=parent.categorical_columns,
            splits=written.summaries,
            statistics={
                "events": column_statistics(_readable(joined, items, types)),
                "items": column_statistics(items),
            },
            notes=_notes(record, int(unused.sum())),
            files=describe_files(temporary),
        )
        manifest.write(temporary)
    return PreparedDataset.open(folder)


def _grown(words: list[str], found: pd.Series) -> list[str]:
    return [*words, *sorted(set(found) - set(words))]


def _row_counts(known: int, record: BatchRecord, kept: int) -> RowCounts:
    rejected = sum(record.rejected.values())
    if known + record.rows_in != kept + rejected:
        raise RuntimeError(
            f"rows went missing: {known} known and {record.rows_in} new, {kept} kept and "
            f"{rejected} rejected"
        )
    return RowCounts(
        rows_in=known + record.rows_in,
        rows_kept=kept,
        rows_rejected=rejected,
        rejected=record.rejected,
        examples={},
    )


def _item_counts(record: BatchRecord, kept: int) -> RowCounts:
    rejected = sum(record.items_rejected.values())
    return RowCounts(
        rows_in=kept + rejected,
        rows_kept=kept,
        rows_rejected=rejected,
        rejected=record.items_rejected,
        examples={},
    )


def _timestamps(log: EventLog, record: BatchRecord) -> TimestampDecision:
    return TimestampDecision(
        column="timestamp",
        unit="datetime",
        evidence=f"a log that has grown by {', '.join(record.events)}",
        first=str(iso_time(int(log.microseconds.min()))),
        last=str(iso_time(int(log.microseconds.max()))),
    )


def _readable(log: pd.DataFrame, items: pd.DataFrame, event_types: list[str]) -> pd.DataFrame:
    ids = items["item_id"].to_numpy()
    columns = {
        "user_id": pd.Series(log["user"], dtype="str"),
        "item_id": pd.Series(ids[log["item"].to_numpy() - 1], dtype="str"),
        "event": pd.Series(np.array(event_types)[log["event"].to_numpy() - 1], dtype="str"),
        "timestamp": pd.Series(log["microseconds"].to_numpy().astype("datetime64[us]")),
        "value": log["value"],
    }
    contexts = log.columns.drop(list(COLUMNS))
    columns |= {name: pd.Series(log[name], dtype="str") for name in contexts}
    return pd.DataFrame(columns)


def _notes(record: BatchRecord, unused: int) -> list[str]:
    notes = list(record.notes)
    if record.late:
        notes.append(f"{record.late} events came late, from before the end of the log")
    if unused:
        notes.append(f"{unused} events without a target in their period wait for a later split")
    return notes
