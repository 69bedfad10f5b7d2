"""Reads off the event log what each shopper of an A/B test was shown and did."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tfrec.errors import UserError
from tfrec.monitoring.live.event_log import CLICK, IMPRESSION, LogLine, ServedList

RETURN = "return"
SECONDS_PER_DAY = 86_400.0
COLUMNS = (
    "lists", "places", "empty", "degraded", "latency", "timed",
    "impressions", "clicks", "conversions", "revenue", "returns",
)  # fmt: skip
_OUTCOMES = ("clicks", "conversions", "revenue", "returns")


@dataclass(frozen=True)
class TestShoppers:
    """The shoppers of a test.

    Attributes:
        a: name of the arm A.
        b: name of the arm B.
        start: unix seconds from which both arms were served.
        end: unix seconds until which both were.
        table: one row a shopper: `arm` (0 for A, 1 for B), `mixed` (whether both were shown), what
            happened from the first list of the test on (`COLUMNS`), and what did in the days
            before it (`before_…`).
    """

    __test__ = False  # for pytest, which takes the name for that of a test

    a: str
    b: str
    start: float
    end: float
    table: pd.DataFrame


@dataclass
class _Arm:
    first: float = math.inf
    last: float = -math.inf


def read_shoppers(
    lines: Iterable[LogLine],
    a: str | None = None,
    b: str | None = None,
    *,
    by: Literal["version", "variant"] = "version",
    start: float | None = None,
    end: float | None = None,
    before_days: float = 28.0,
    conversion: str = "purchase",
) -> TestShoppers:
    """Puts the lines of a log together by shopper.

    A shopper belongs to the arm of the first list of the test. What is done before that list counts
    for neither.

    Args:
        lines: the log, in any order.
        a: name of the arm A; None: the older one of the two in the log.
        b: name of the arm B; None: the newer one.
        by: what tells the arms apart.
        start: unix seconds; None: when the later arm was first served.
        end: unix seconds; None: when the first of the two ended.
        before_days: length of the time before the start whose events are covariates.
        conversion: the event a shop lives on.

    Raises:
        UserError: if the log does not hold two such arms, or not at the same time.
    """
    # Shoppers are compared, so what cannot be told to belong to one says nothing.
    happenings = sorted(
        (_happening(line, line.user, by, conversion) for line in lines if line.user is not None),
        key=_time_of,
    )
    arms: dict[str, _Arm] = {}
    for happening in happenings:
        if happening.kind == "lists" and happening.arm:
            arm = arms.setdefault(happening.arm, _Arm())
            arm.first, arm.last = min(arm.first, happening.time), max(arm.last, happening.time)
    a, b = _choose(arms, a, b, by)
    start = max(arms[a].first, arms[b].first) if start is None else start
    end = min(arms[a].last, arms[b].last) if end is None else end
    if not start < end:
        raise UserError(
            f"{a} and {b} were never served at the same time, so nothing can be said of their "
            "difference; serve both to shoppers chosen at random"
        )
    table = _table(happenings, (a, b), start, end, before_days)
    return TestShoppers(a, b, start, end, table)


class _Happening(NamedTuple):
    """A line of the log, without what the read-out does not need: a log has millions.

    Attributes:
        time: unix seconds by the gateway's clock.
        user: the shopper.
        kind: the column that counts it; "" for what none counts.
        arm: name of the arm; "" if it has none.
        key: what repeats of it share; None where nothing does.
        places: items of a list.
        degraded: whether a list was made without the history store.
        latency: milliseconds; NaN where not known.
        value: money of a conversion.
    """

    time: float
    user: str
    kind: str
    arm: str
    key: int | None = None
    places: int = 0
    degraded: bool = False
    latency: float = math.nan
    value: float = 0.0


def _time_of(happening: _Happening) -> float:
    return happening.time


def _happening(line: LogLine, user: str, by: str, conversion: str) -> _Happening:
    arm = line.variant if by == "variant" else line.model_version
    name = "" if arm is None else sys.intern(str(arm))
    if isinstance(line, ServedList):
        latency = math.nan if line.latency_ms is None else line.latency_ms
        return _Happening(
            line.received,
            user,
            "lists",
            name,
            None,
            len(line.item_ids),
            line.degraded,
            latency,
        )
    kinds = {IMPRESSION: "impressions", conversion: "conversions", RETURN: "returns"}
    kind = kinds.get(line.event, "")
    # A click on something that was not recommended says nothing about the lists.
    if line.event == CLICK and line.recommendation_id is not None:
        kind = "clicks"
    key = None
    if line.recommendation_id is not None:
        key = hash((line.recommendation_id, line.item_id, line.event))
    return _Happening(line.received, user, kind, name, key, value=line.value or 0.0)


def _choose(arms: dict[str, _Arm], a: str | None, b: str | None, by: str) -> tuple[str, str]:
    present = sorted(arms, key=lambda name: arms[name].first)
    shown = ", ".join(present) or "none"
    for name in (a, b):
        if name is not None and name not in arms:
            raise UserError(f"the log has no list of the {by} {name}; it has: {shown}")
    if a is None and b is None and len(present) == 2:
        return present[0], present[1]
    if a is None or b is None:
        raise UserError(f"name the two {by}s to compare with --a and --b; the log has: {shown}")
    if a == b:
        raise UserError(f"--a and --b are both {a}; name two {by}s. The log has: {shown}")
    return a, b


def _table(
    happenings: list[_Happening],
    arms: tuple[str, str],
    start: float,
    end: float,
    before_days: float,
) -> pd.DataFrame:
    rows: dict[str, dict[str, float]] = {}
    before: dict[str, dict[str, float]] = {}
    counted: set[int] = set()
    for happening in happenings:
        if not start - before_days * SECONDS_PER_DAY <= happening.time <= end:
            continue
        if happening.key is not None:
            if happening.key in counted:
                continue
            counted.add(happening.key)
        if happening.time < start:
            _count(before.setdefault(happening.user, dict.fromkeys(COLUMNS, 0.0)), happening)
            continue
        row = rows.get(happening.user)
        if happening.kind == "lists":
            if happening.arm not in arms:
                continue
            arm = arms.index(happening.arm)
            if row is None:
                row = {**dict.fromkeys(COLUMNS, 0.0), "arm": arm, "mixed": 0.0}
                rows[happening.user] = row
            row["mixed"] = max(row["mixed"], float(row["arm"] != arm))
        if row is not None:
            _count(row, happening)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["arm", "mixed", *COLUMNS])
    past = pd.DataFrame.from_dict(before, orient="index", columns=list(COLUMNS))
    past = past.reindex(table.index, fill_value=0.0)
    for name in ("lists", *_OUTCOMES):
        table[f"before_{name}"] = past[name]
    table["before_any"] = (past.sum(axis=1) > 0).astype(float)
    return table


def _count(row: dict[str, float], happening: _Happening) -> None:
    if happening.kind:
        row[happening.kind] += 1
    if happening.kind == "lists":
        row["places"] += happening.places
        row["empty"] += not happening.places
        row["degraded"] += happening.degraded
        if not math.isnan(happening.latency):
            row["latency"] += happening.latency
            row["timed"] += 1
    elif happening.kind == "conversions":
        row["revenue"] += happening.value


def covariates(table: pd.DataFrame) -> np.ndarray:
    """Returns what is known of each shopper from before the test, float `[shoppers, columns]`."""
    names = [name for name in table if name.startswith("before_") and table[name].any()]
    return table[names].to_numpy(np.float64)
