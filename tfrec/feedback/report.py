"""How a new policy compares with the logged one, in a table and in sentences."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from tfrec.display import Displayed
from tfrec.feedback.estimators import DOUBLY_ROBUST, LOGGED, Estimate, Support

FEWEST_LISTS, FEWEST_SHOPPERS = 100.0, 30
TOLERANCE = 0.05


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """The estimates of a new policy.

    Attributes:
        estimates: by event and estimator, rewards per place shown.
        support: how well the log can tell.
        shoppers: how many there are.
        places: places of a list that are compared.
        model: what is assumed of places, `position-based` or `item-position`.
        warnings: in sentences.
    """

    estimates: dict[str, dict[str, Estimate]]
    support: Support
    shoppers: int
    places: int
    model: str
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """Returns everything for a machine; intervals that are not known are null."""
        return asdict(self, dict_factory=_without_nan)

    def renderables(self) -> Iterable[Table | Text]:
        """Returns a table of estimates, how well the log can tell, and warnings."""
        table = Table("event", "estimate", title="Per item shown, of the new policy")
        for heading in ("value", "95 % interval", "change", "95 % interval"):
            table.add_column(heading, justify="right")
        for event, rows in self.estimates.items():
            for name, row in rows.items():
                changes = ("", "") if name == LOGGED else (
                    f"{row.change:+.5f}", f"{row.change_low:+.5f} to {row.change_high:+.5f}"
                )  # fmt: skip
                interval = f"{row.low:.5f} to {row.high:.5f}"
                table.add_row(event, name, f"{row.value:.5f}", interval, *changes)
        yield table
        told = self.support
        yield Text(
            f"{told.lists:,} lists of {self.shoppers:,} shoppers, which tell as much as "
            f"{told.effective_lists:,.0f} of the new policy; the weights account for "
            f"{told.covered:.3f} of what it shows ({told.covered_low:.3f} to "
            f"{told.covered_high:.3f}); largest weight {told.largest:.1f}; {self.model} model of "
            f"{self.places} places."
        )
        for warning in self.warnings:
            yield Text(f"warning: {warning}")
        for event, rows in self.estimates.items():
            yield Text(verdict(event, rows[DOUBLY_ROBUST], told))


def _without_nan(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in pairs
    }


def verdict(event: str, change: Estimate, told: Support) -> str:
    """Says in a sentence what the doubly robust estimate of an event comes to.

    Args:
        event: the event.
        change: its estimate.
        told: how well the log can tell; where the weights do not account for what the new policy
            shows, no interval holds.
    """
    accounted = told.covered_high >= 1 - TOLERANCE and told.covered_low <= 1 + TOLERANCE
    if not accounted or math.isnan(change.change_low):
        return f"The log cannot tell which policy brings more {event} events per item shown."
    if change.change_low > 0:
        return f"The new policy brings more {event} events per item shown."
    if change.change_high < 0:
        return f"The new policy brings fewer {event} events per item shown."
    return f"No difference in {event} events per item shown can be told from the log."


def warnings_of(told: Support, shoppers: int) -> list[str]:
    """Returns why estimates may not hold, in sentences.

    Args:
        told: how well the log can tell.
        shoppers: how many there are.
    """
    found = []
    if told.covered_high < 1 - TOLERANCE:
        found.append(
            f"the logged policy hardly ever showed {1 - told.covered:.0%} of what the new one "
            "would show; IPS counts nothing for it, SNIPS and doubly robust take it for like the "
            "rest; show some of it first, by display.exploration_share or to some shoppers"
        )
    if told.covered_low > 1 + TOLERANCE:
        found.append(
            "the weights account for more than the new policy shows, so the log's chances are not "
            "those of the policy that made it; do not trust the estimates"
        )
    if told.effective_lists < FEWEST_LISTS:
        found.append(
            f"the log tells as much as {told.effective_lists:.0f} lists of the new policy; "
            "intervals from so few are too narrow"
        )
    if shoppers < FEWEST_SHOPPERS:
        found.append(f"intervals from {shoppers} shoppers are too narrow")
    if told.clipped:
        found.append(
            f"{told.clipped:.1%} of the weights were clipped, which biases what they count"
        )
    return found
