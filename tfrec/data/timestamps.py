"""Finds out what a timestamp column holds, and says so; it never guesses silently."""

import datetime
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from tfrec.data.table import Table
from tfrec.errors import UserError

EARLIEST = pd.Timestamp("1990-01-01")
LATEST = pd.Timestamp("2100-01-01")
SAMPLE = 2000

_DAY_FIRST = ["%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y"]
_MONTH_FIRST = ["%m/%d/%Y", "%m.%d.%Y", "%m-%d-%Y", "%m/%d/%y", "%m.%d.%y", "%m-%d-%y"]
_UNAMBIGUOUS = ["%Y/%m/%d", "%d-%b-%Y", "%d %b %Y"]
_CLOCKS = ["", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p"]

UNITS = {"seconds": 1, "milliseconds": 1000}


@dataclass(frozen=True)
class Timestamps:
    """A parsed timestamp column.

    Attributes:
        values: datetime64[us] `[n]` in UTC, NaT where missing or unreadable.
        wrong: bool `[n]`, cells that hold something that is not a timestamp.
        unit: "datetime", "seconds" or "milliseconds".
        evidence: why, in one sentence.
    """

    values: np.ndarray
    wrong: np.ndarray
    unit: str
    evidence: str


def parse_timestamps(
    table: Table, name: str, *, unit: str = "auto", format: str | None = None
) -> Timestamps:
    """Reads column `name` of `table` as points in time.

    Args:
        table: the rows.
        name: the column.
        unit: "auto", "datetime", "seconds" or "milliseconds" (since 1970, UTC).
        format: strptime format of text; found out if not given.

    Raises:
        UserError: if `unit` is "auto" and more than one reading, or none, fits the values.
    """
    column = table.columns.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_null(kind):
        nothing = np.full(len(table), np.datetime64("NaT", "us"))
        return Timestamps(nothing, np.zeros(len(table), bool), unit, "the column is empty")
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        if unit in UNITS:
            raise UserError(
                f"data.timestamp_unit is {unit}, but column `{name}` of {table.label} holds "
                "datetimes; set data.timestamp_unit to datetime or auto"
            )
        values = column.cast(pa.timestamp("us"), safe=False).to_numpy()
        zone = getattr(kind, "tz", None) or "no time zone, taken as UTC"
        evidence = f"the column's own type is {kind} ({zone})"
        return Timestamps(values, np.zeros(len(table), bool), "datetime", evidence)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False).to_numpy()
        return _numbers(table, name, numbers, unit)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(
            f"column `{name}` of {table.label} holds {kind}; give datetimes, or seconds or "
            "milliseconds since 1970"
        )
    return _texts(table, name, column, unit, format)


def _numbers(table: Table, name: str, numbers: np.ndarray, unit: str) -> Timestamps:
    filled = ~np.isnan(numbers)
    if unit == "datetime":
        raise UserError(
            f"data.timestamp_unit is datetime, but column `{name}` of {table.label} holds "
            f"numbers ({table.first_values(name, filled)}); set it to seconds or milliseconds"
        )
    total = int(filled.sum())
    low, high = EARLIEST.timestamp(), LATEST.timestamp()
    share = {
        candidate: float(((numbers >= low * scale) & (numbers < high * scale)).sum())
        / max(total, 1)
        for candidate, scale in UNITS.items()
    }
    if unit == "auto":
        best = max(share, key=lambda candidate: share[candidate])
        if total and share[best] < 0.95:
            raise UserError(
                f"column `{name}` of {table.label} holds numbers that are neither clearly seconds "
                f"({share['seconds']:.0%} of them lie between 1990 and 2100) nor milliseconds "
                f"({share['milliseconds']:.0%}) since 1970, such as "
                f"{table.first_values(name, filled)}; set data.timestamp_unit, or convert the "
                "column"
            )
        unit = best
        evidence = f"{share[unit]:.2%} of the numbers are {unit} since 1970 between 1990 and 2100"
    else:
        evidence = f"data.timestamp_unit says {unit}"
    with np.errstate(invalid="ignore"):
        micros = numbers * (1_000_000 // UNITS[unit])
        # Beyond these a datetime64 overflows; such rows are absurd in any unit.
        sane = filled & (np.abs(micros) < 4e18)
        values = np.where(sane, micros, 0).astype(np.int64).astype("datetime64[us]")
    values[~sane] = np.datetime64("NaT")
    return Timestamps(values, filled & ~sane, unit, evidence)


def _texts(
    table: Table, name: str, column: pa.ChunkedArray, unit: str, format: str | None
) -> Timestamps:
    texts = pd.Series(column.to_pandas(), dtype="str").str.strip()
    filled = (texts.notna() & (texts != "")).to_numpy()
    texts = texts.where(filled)
    positions = np.flatnonzero(filled)
    if positions.size == 0:
        nothing = np.full(len(table), np.datetime64("NaT", "us"))
        return Timestamps(nothing, np.zeros(len(table), bool), unit, "the column is empty")
    sample = texts.iloc[positions[:: max(1, positions.size // SAMPLE)]]
    if unit in UNITS or (
        unit == "auto"
        and format is None
        and pd.to_numeric(sample, errors="coerce").notna().mean() > 0.5
    ):
        numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        parsed = _numbers(table, name, numbers, unit)
        return Timestamps(
            parsed.values, filled & np.isnat(parsed.values), parsed.unit, parsed.evidence
        )
    if format is not None:
        values = _parse(texts, format)
        evidence = f"data.timestamp_format says {format}"
    else:
        format, values = _find_format(table, name, texts, sample, filled)
        shown = "ISO 8601" if format == "ISO8601" else format
        evidence = f"text in the form {shown}; no other form fits (times without a zone are UTC)"
    return Timestamps(values, filled & np.isnat(values), "datetime", evidence)


def _find_format(
    table: Table, name: str, texts: pd.Series, sample: pd.Series, filled: np.ndarray
) -> tuple[str, np.ndarray]:
    candidates = ["ISO8601"] + [
        day + clock for day in _DAY_FIRST + _MONTH_FIRST + _UNAMBIGUOUS for clock in _CLOCKS
    ]
    fits = {
        candidate: float((~np.isnat(_parse(sample, candidate))).mean()) for candidate in candidates
    }
    plausible = [candidate for candidate in candidates if fits[candidate] > 0.4]
    examples = table.first_values(name, filled)
    if not plausible:
        raise UserError(
            f"column `{name}` of {table.label} holds no timestamps that can be read, such as "
            f"{examples}; use ISO 8601 (2024-05-31 17:05:00), or set data.timestamp_format"
        )
    parsed = {candidate: _parse(texts, candidate) for candidate in plausible}
    best = max(plausible, key=lambda candidate: int((~np.isnat(parsed[candidate])).sum()))
    read = ~np.isnat(parsed[best])
    for rival in plausible:
        rival_read = ~np.isnat(parsed[rival])
        both = read & rival_read
        differ = (parsed[rival][both] != parsed[best][both]).any()
        # A form that also fails on rows that the best one reads is refuted, unless it fails on
        # so few that these may be the mistakes.
        if rival != best and differ and rival_read.sum() > 0.99 * read.sum():
            raise UserError(
                f"column `{name}` of {table.label} can be read both as {best} and as {rival}, "
                f"such as {examples}; set data.timestamp_format to the right one"
            )
    return best, parsed[best]


def _parse(texts: pd.Series, format: str) -> np.ndarray:
    values = pd.to_datetime(texts, format=format, errors="coerce", utc=True)
    return values.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def now() -> pd.Timestamp:
    """Returns the present in UTC, without a zone."""
    return pd.Timestamp(datetime.datetime.now(datetime.UTC).replace(tzinfo=None))
