"""The event log as typed columns, row rules applied."""

import difflib
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tfrec.config.data import DataConfig
from tfrec.data import cells
from tfrec.data.schema import EVENT_NUMBERS, EVENT_TEXTS, apply_schema, event_schema
from tfrec.data.table import Table
from tfrec.data.timestamps import Timestamps, parse_timestamps
from tfrec.errors import UserError

# A clock of another machine may be ahead, a shop may be a time zone ahead; not two days.
FUTURE_TOLERANCE = pd.Timedelta(days=2)


@dataclass(frozen=True)
class TypedEvents:
    """The rows of an event log with their types, those rejected included.

    Attributes:
        frame: `[n, columns]`: user_id, item_id, event (str), timestamp (datetime64[us]),
            position, value, quantity, rating, price (float64), each where the log has it, and
            the context columns (str).
        timestamps: how the timestamp column was read; None if the log has none.
    """

    frame: pd.DataFrame
    timestamps: Timestamps | None


def type_events(
    table: Table, config: DataConfig, *, now: pd.Timestamp, timestamp_unit: str | None = None
) -> TypedEvents:
    """Gives the columns of the log their types and rejects the rows that break the contract.

    Args:
        table: the rows; verdicts are added to it.
        config: what to accept.
        now: events more than two days later are absurd.
        timestamp_unit: overrides an "auto" unit, where the source's definition fixes it.

    Raises:
        UserError: if a column is missing, or more than half of a column is wrong.
    """
    names = table.columns.column_names
    table.require([*EVENT_TEXTS, *config.context_columns], "events")
    _require_order(table, config)
    _check_context_columns(config)
    columns: dict[str, pd.Series] = {}
    for name in [*EVENT_TEXTS, *config.context_columns]:
        columns[name] = cells.texts(table, name)
    for name in ("user_id", "item_id", "event"):
        cells.refuse_wrong_column(table, name, columns[name].isna().to_numpy(), "a value")
    for name in EVENT_NUMBERS:
        if name in names and name not in columns:
            columns[name] = cells.numbers(table, name)
    timestamps = None
    if "timestamp" in names:
        defined = timestamp_unit is not None and config.timestamp_unit == "auto"
        timestamps = parse_timestamps(
            table,
            "timestamp",
            unit=str(timestamp_unit) if defined else config.timestamp_unit,
            format=config.timestamp_format,
        )
        if defined:
            evidence = f"the files of data.adapter {config.adapter} are defined so"
            timestamps = replace(timestamps, evidence=evidence)
        unusable = timestamps.wrong | np.isnat(timestamps.values)
        cells.refuse_wrong_column(table, "timestamp", unusable, "timestamps")
        table.reject(timestamps.wrong, "bad_timestamp")
        columns["timestamp"] = pd.Series(timestamps.values)
    frame = pd.DataFrame(columns)
    _check_event_names(table, frame, config)
    schema = event_schema(
        event_types=config.event_types,
        latest=now + FUTURE_TOLERANCE,
        position_required=config.split == "leave_one_out",
        columns=list(frame.columns),
    )
    apply_schema(schema, frame, table)
    return TypedEvents(frame, timestamps)


def _require_order(table: Table, config: DataConfig) -> None:
    names = table.columns.column_names
    if config.split == "temporal" and "timestamp" not in names:
        raise UserError(
            f"{table.label} has no column `timestamp`, which the temporal split needs; its columns "
            f"are {', '.join(f'`{name}`' for name in names)}. Add it, or set data.split to "
            "leave_one_out if there is a `position` column"
        )
    if "timestamp" not in names and "position" not in names:
        raise UserError(
            f"{table.label} has neither a column `timestamp` nor `position`, so its events have no "
            f"order; its columns are {', '.join(f'`{name}`' for name in names)}"
        )


def _check_context_columns(config: DataConfig) -> None:
    taken = [*EVENT_TEXTS, *EVENT_NUMBERS, "timestamp"]
    for name in config.context_columns:
        if name in taken:
            raise UserError(
                f"data.context_columns has `{name}`, which is no context: it belongs to the event "
                "itself; leave it out"
            )


def _check_event_names(table: Table, frame: pd.DataFrame, config: DataConfig) -> None:
    if config.event_types is None:
        return
    found = set(frame["event"].dropna().unique())
    if not found & set(config.event_types):
        some = sorted(found)[:5]
        close = difflib.get_close_matches(some[0], config.event_types, n=1) if some else []
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise UserError(
            f"no event of {table.label} has one of the names in data.event_types "
            f"({', '.join(config.event_types)}); its names are {', '.join(some)}{hint}"
        )
