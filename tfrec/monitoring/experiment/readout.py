"""The read-out of an A/B test: can it be trusted, what differs, and what to do."""

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfrec.display import Displayed
from tfrec.monitoring.experiment.estimates import (
    Difference,
    compare,
    linearised_ratio,
    sample_ratio_p_value,
)
from tfrec.monitoring.experiment.metrics import GUARDRAILS, METRICS, Metric
from tfrec.monitoring.experiment.shoppers import TestShoppers, covariates

MISMATCH = 0.001
MOST_MIXED = 0.05
FEWEST_SHOPPERS = 100
SIGNIFICANT = 0.05
Verdict = Literal["better", "worse", "no difference shown", "not to be trusted"]


@dataclass(frozen=True)
class Measured:
    """A metric with its difference.

    Attributes:
        name: the metric.
        good: whether more of it is good (1) or bad (-1).
        margin: of a guardrail.
        difference: between the arms.
    """

    name: str
    good: int
    margin: float | None
    difference: Difference

    @property
    def state(self) -> str:
        """How the metric stands: `better`, `worse` or `unclear`; of a guardrail also `safe`.

        Safe is a guardrail whose interval excludes a change for the worse beyond its margin.
        """
        difference = self.difference
        if difference.p_value < SIGNIFICANT:
            return "better" if self.good * (difference.b - difference.a) > 0 else "worse"
        worst = difference.low if self.good > 0 else -difference.high
        return "safe" if self.margin is not None and worst > -self.margin else "unclear"


@dataclass(frozen=True, repr=False)
class Readout(Displayed):
    """Everything measured of a test.

    Attributes:
        a: name of the arm A.
        b: name of the arm B.
        start: unix seconds.
        end: unix seconds.
        shoppers: number of shoppers in A and B.
        mixed: share of the shoppers who were shown lists of both.
        sample_ratio_p_value: of the split between the arms.
        share_of_b: the share that was meant for B.
        metrics: the first one decides.
        guardrails: what must not get worse.
    """

    a: str
    b: str
    start: float
    end: float
    shoppers: tuple[int, int]
    mixed: float
    sample_ratio_p_value: float
    share_of_b: float
    metrics: list[Measured]
    guardrails: list[Measured]

    @property
    def verdict(self) -> Verdict:
        """The read-out in a word or four."""
        if self._doubt():
            return "not to be trusted"
        if any(guardrail.state == "worse" for guardrail in self.guardrails):
            return "worse"
        state = self.metrics[0].state if self.metrics else "unclear"
        if state == "better":
            return "better"
        return "worse" if state == "worse" else "no difference shown"

    @property
    def conclusion(self) -> str:
        """What to make of it, in a plain sentence or two."""
        doubt = self._doubt()
        if doubt:
            return f"This read-out is not to be trusted: {doubt}."
        harmed = [entry for entry in self.guardrails if entry.state == "worse"]
        if not self.metrics:
            return f"Nothing was clicked or converted, so {self.a} and {self.b} cannot be compared."
        first = self.metrics[0]
        change = f"{first.name} {_change(first.difference)}"
        if harmed:
            what = " and ".join(f"{entry.name} {_change(entry.difference)}" for entry in harmed)
            return f"{self.b} should not replace {self.a}: it harms a guardrail ({what}); {change}."
        unclear = [entry.name for entry in self.guardrails if entry.state == "unclear"]
        rails = (
            f"not yet clear of {' and '.join(unclear)}" if unclear else "no guardrail was harmed"
        )
        if first.state == "better":
            return f"{self.b} is better than {self.a}: {change}; {rails}."
        if first.state == "worse":
            return f"{self.b} is worse than {self.a}: {change}."
        return (
            f"No difference between {self.a} and {self.b} was shown: {change}. A test of this size "
            f"finds a change of ±{first.difference.detectable:.1%} four times out of five; go on "
            "if a smaller one matters."
        )

    def _doubt(self) -> str:
        a, b = self.shoppers
        if min(a, b) < FEWEST_SHOPPERS:
            return f"{a:,} and {b:,} shoppers are too few; {FEWEST_SHOPPERS} an arm are the least"
        if self.sample_ratio_p_value < MISMATCH:
            wanted = f"{1 - self.share_of_b:.0%} to {self.share_of_b:.0%}"
            return (
                f"{a:,} shoppers were in {self.a} and {b:,} in {self.b} where {wanted} was "
                f"expected (p = {self.sample_ratio_p_value:.1g}); find out who is missing first"
            )
        if self.mixed > MOST_MIXED:
            return (
                f"{self.mixed:.0%} of the shoppers were shown lists of both; keep each shopper "
                "with one of them"
            )
        return ""

    def to_json(self) -> dict[str, Any]:
        """Returns plain values; what is not known is None."""

        def plain(value: float) -> float | None:
            return None if math.isnan(value) else value

        def entry(measured: Measured) -> dict[str, Any]:
            numbers = {name: plain(value) for name, value in asdict(measured.difference).items()}
            return {"name": measured.name, "state": measured.state, **numbers}

        return {
            "a": self.a,
            "b": self.b,
            "start": _utc(self.start),
            "end": _utc(self.end),
            "shoppers": {"a": self.shoppers[0], "b": self.shoppers[1]},
            "mixed_share": self.mixed,
            "sample_ratio": {
                "expected_share_of_b": self.share_of_b,
                "p_value": plain(self.sample_ratio_p_value),
                "ok": not self.sample_ratio_p_value < MISMATCH,
            },
            "metrics": [entry(measured) for measured in self.metrics],
            "guardrails": [entry(measured) for measured in self.guardrails],
            "verdict": self.verdict,
            "conclusion": self.conclusion,
        }

    def table(self) -> Table:
        """Returns the metrics, one a row; the first one decides."""
        table = Table(
            title=f"{self.b} (B) against {self.a} (A), {_utc(self.start)} to {_utc(self.end)}",
            caption=(
                f"{self.shoppers[0]:,} and {self.shoppers[1]:,} shoppers; sample ratio p = "
                f"{self.sample_ratio_p_value:.2g}; {self.mixed:.1%} saw both; 95 % intervals"
            ),
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        for name in ("metric", "A", "B", "change", "95 % interval", ""):
            table.add_column(name, justify="left" if name in ("metric", "") else "right")
        for section in (self.metrics, self.guardrails):
            for measured in section:
                table.add_row(*_cells(measured))
            table.add_section()
        return table

    def renderables(self) -> list[Table | Text]:
        """Returns the table and the conclusion."""
        return [self.table(), Text(self.conclusion)]

    def print(self, console: Console | None = None) -> None:
        """Prints the table and the conclusion."""
        console = console or Console()
        console.print(self.table())
        console.print(self.conclusion, markup=False, highlight=False, soft_wrap=True)


def read_out(shoppers: TestShoppers, *, share_of_b: float = 0.5, cuped: bool = True) -> Readout:
    """Measures a test.

    Args:
        shoppers: what each shopper was shown and did.
        share_of_b: the share of shoppers that was meant for B.
        cuped: whether to adjust for what is known from before the test.
    """
    table = shoppers.table
    in_b = table["arm"].to_numpy() == 1
    known = covariates(table) if cuped else np.zeros((len(table), 0))

    def measure(metric: Metric) -> Measured:
        values = metric.values(table).to_numpy(np.float64)
        per = None if metric.per is None else metric.per(table).to_numpy(np.float64)
        arms = [
            values[side] if per is None else linearised_ratio(values[side], per[side])
            for side in (~in_b, in_b)
        ]
        difference = (
            compare(arms[0], arms[1], known[~in_b], known[in_b])
            if known.shape[1]
            else compare(arms[0], arms[1])
        )
        return Measured(metric.name, metric.good, metric.margin, difference)

    def happened(metric: Metric) -> bool:
        return bool(metric.values(table).any())

    return Readout(
        a=shoppers.a,
        b=shoppers.b,
        start=shoppers.start,
        end=shoppers.end,
        shoppers=(int((~in_b).sum()), int(in_b.sum())),
        mixed=float(table["mixed"].mean()) if len(table) else math.nan,
        sample_ratio_p_value=sample_ratio_p_value(int((~in_b).sum()), int(in_b.sum()), share_of_b),
        share_of_b=share_of_b,
        metrics=[measure(metric) for metric in METRICS if happened(metric)],
        guardrails=[measure(metric) for metric in GUARDRAILS if happened(metric)],
    )


def _cells(measured: Measured) -> tuple[str, ...]:
    difference = measured.difference
    return (
        measured.name,
        f"{difference.a:.4g}",
        f"{difference.b:.4g}",
        f"{difference.relative:+.1%}",
        f"{difference.low:+.1%} to {difference.high:+.1%}",
        measured.state,
    )


def _change(difference: Difference) -> str:
    if math.isnan(difference.relative):
        return f"{difference.a:.4g} → {difference.b:.4g}"
    return f"{difference.relative:+.1%} [{difference.low:+.1%}, {difference.high:+.1%}]"


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
