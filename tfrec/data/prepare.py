"""Turns an event log and a catalogue into a prepared data set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.config.data import DataConfig
from tfrec.data import rules, splits
from tfrec.data.adapters import find_adapter
from tfrec.data.catalogue import Catalogue, add_unknown_items, build_catalogue
from tfrec.data.dataset import PreparedDataset
from tfrec.data.events import type_events
from tfrec.data.log import EventLog, order_log
from tfrec.data.manifest import MANIFEST
from tfrec.data.table import Table
from tfrec.data.timestamps import now
from tfrec.data.writing import Cleaned, write_dataset
from tfrec.errors import UserError
from tfrec.files import atomic_folder
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
    result = Cleaned(
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
        write_dataset(folder, result)
    return PreparedDataset.open(out)


def _next_step(bar: ProgressBar, description: str) -> None:
    bar.update()
    bar.set_description(description)


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
