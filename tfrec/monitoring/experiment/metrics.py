"""What an A/B test measures: what should get better, and what must not get worse."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Metric:
    """A metric of a shopper's table.

    Attributes:
        name: as the read-out calls it.
        values: the numerator (or the value itself) of every shopper.
        per: the denominator of every shopper; None for a mean over shoppers.
        good: whether more of it is good (1) or bad (-1).
        margin: for a guardrail, the relative change to the worse that would be tolerable.
    """

    name: str
    values: Callable[[pd.DataFrame], pd.Series]
    per: Callable[[pd.DataFrame], pd.Series] | None = None
    good: int = 1
    margin: float | None = None


def _shown(table: pd.DataFrame) -> pd.Series:
    # A shop that says what was on the screen means that, and not all that was sent.
    return table["impressions"] if table["impressions"].any() else table["places"]


METRICS = (
    Metric("conversions per shopper", lambda table: table["conversions"]),
    Metric("share of shoppers who convert", lambda table: (table["conversions"] > 0).astype(float)),
    Metric("revenue per shopper", lambda table: table["revenue"]),
    Metric("click rate", lambda table: table["clicks"], per=_shown),
    Metric("clicks per shopper", lambda table: table["clicks"]),
)
GUARDRAILS = (
    Metric("lists per shopper", lambda table: table["lists"], margin=0.05),
    Metric("returns per shopper", lambda table: table["returns"], good=-1, margin=0.1),
    Metric(
        "share of empty lists",
        lambda table: table["empty"],
        per=lambda table: table["lists"],
        good=-1,
        margin=0.1,
    ),
    Metric(
        "latency of a list (ms)",
        lambda table: table["latency"],
        per=lambda table: table["timed"],
        good=-1,
        margin=0.1,
    ),
)
