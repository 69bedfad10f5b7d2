"""Prints how often the next purchase falls into the window that was expected.

    python -m benchmarks.next_purchase --data DATA [--json FILE]

First the last gap of every shopper is hidden: the rhythm is learned from what came before the
period of the test split, and each shopper's window from his own earlier gaps. Then the whole
period is looked at from its first day, when nobody knows who will come: a window can be judged if
it ends within the period, and the shoppers who come by a day can be counted. Windows of everybody
(no gaps of one's own) and of one's own gaps alone (no shrinkage) stand beside.
"""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import json_option
from tfrec.data.dataset import PreparedDataset
from tfrec.files import write_json
from tfrec.profiles.fitting import Purchases
from tfrec.profiles.purchase_gaps import QUANTILES, SECONDS_PER_DAY, PurchaseDays, PurchaseRhythm

NOMINAL = QUANTILES[-1] - QUANTILES[0]
STRENGTHS = {"shrunk": None, "everybody's": 1e6, "own gaps alone": 1e-3}


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path))
@json_option
def main(data: Path, json_path: Path | None) -> None:
    """Measure the expected windows of the next purchase on a data set."""
    dataset = PreparedDataset.open(data)
    from tfrec.training.profiles import purchases_of

    before = dataset.log_before("test")
    whole = before.followed_by_targets(dataset.histories("test"))
    known = _days(purchases_of(before, dataset.target_event_indices))
    everything = _days(purchases_of(whole, dataset.target_event_indices))
    start = int(before.timestamp.max()) // SECONDS_PER_DAY
    end = int(whole.timestamp.max()) // SECONDS_PER_DAY
    fitted = PurchaseRhythm.fit(known, start)
    if fitted is None:
        raise SystemExit("too few shoppers bought twice")
    figures = {}
    for name, strength in STRENGTHS.items():
        rhythm = fitted if strength is None else _of_strength(fitted, known, start, strength)
        figures[name] = {
            "strength": rhythm.strength,
            **hidden_gaps(rhythm, known),
            **period_ahead(rhythm, known, everything, start, end),
        }
    Console(width=140).print(table(figures, end - start))
    if json_path is not None:
        write_json(json_path, figures)


def _days(purchases: Purchases) -> PurchaseDays:
    return PurchaseDays.of(purchases.owner, purchases.timestamp, purchases.shoppers)


def _of_strength(
    rhythm: PurchaseRhythm, known: PurchaseDays, now: int, strength: float
) -> PurchaseRhythm:
    """Returns the rhythm with another shrinkage, its curve learned anew for that."""
    other = replace(rhythm, strength=strength)
    places, survival = other.curve(known, now)
    return replace(other, places=places, survival=survival)


def hidden_gaps(rhythm: PurchaseRhythm, known: PurchaseDays) -> dict[str, float]:
    """Returns how often the last gap of a shopper is in the window of the ones before it."""
    counts = np.diff(known.offsets)
    shoppers = np.flatnonzero(counts > 2)
    last = known.offsets[1:][shoppers] - 1
    gap = known.days[last] - known.days[last - 1]
    keep = np.ones(len(known.days), bool)
    keep[known.offsets[1:][counts > 0] - 1] = False
    earlier = PurchaseDays(
        np.concatenate([[0], np.cumsum(np.maximum(counts - 1, 0))]), known.days[keep]
    )
    seen = rhythm.windows(earlier, int(known.days.min()))[shoppers]
    inside = (gap >= np.floor(seen[:, 0])) & (gap <= np.ceil(seen[:, 2]))
    width = np.log(seen[:, 2] / np.maximum(seen[:, 0], 1))
    return {
        "gaps": len(gap),
        "inside": float(inside.mean()),
        "width": float(np.exp(np.median(width))),
        "error": float(np.median(np.abs(np.log(gap / seen[:, 1])))),
    }


def period_ahead(
    rhythm: PurchaseRhythm, known: PurchaseDays, everything: PurchaseDays, start: int, end: int
) -> dict[str, float]:
    """Returns how often windows held in the period, and how many came by each quantile."""
    windows = rhythm.windows(known, start)
    shoppers = np.flatnonzero(~np.isnan(windows[:, 0]))
    last = known.days[known.offsets[1:][shoppers] - 1]
    days = last[:, None] + windows[shoppers]
    following = np.full(len(shoppers), np.inf)
    for row, shopper in enumerate(shoppers):
        own = everything.days[everything.offsets[shopper] : everything.offsets[shopper + 1]]
        later = own[own > start]
        if len(later):
            following[row] = later[0]
    ends = days[:, 2] <= end
    inside = (following >= np.floor(days[:, 0])) & (following <= np.ceil(days[:, 2]))
    answer = {"windows": int(ends.sum()), "held": float(inside[ends].mean()) if ends.any() else 0.0}
    for chance, quantile in zip(QUANTILES, days.T, strict=True):
        due = quantile <= end
        came = float((following[due] <= np.ceil(quantile[due])).mean()) if due.any() else 0.0
        answer |= {f"due {chance:.0%}": int(due.sum()), f"came {chance:.0%}": came}
    return answer


def table(figures: dict[str, dict[str, float]], days: int) -> Table:
    """Returns the figures for people."""
    drawn = Table(title=f"next purchase: windows of {NOMINAL:.0%}, {days} days ahead")
    names = ("mean", "worth gaps", "hidden gaps inside", "end / begin", "error of the middle")
    for name in (*names, "windows that held", *(f"came by the {q:.0%} day" for q in QUANTILES)):
        drawn.add_column(name, justify="left" if name == "mean" else "right")
    for name, row in figures.items():
        drawn.add_row(
            name,
            f"{row['strength']:.2g}",
            f"{row['inside']:.1%} of {row['gaps']:,}",
            f"{row['width']:.1f}",
            f"x {np.exp(row['error']):.2f}",
            f"{row['held']:.1%} of {row['windows']:,}",
            *(f"{row[f'came {q:.0%}']:.1%} of {row[f'due {q:.0%}']:,}" for q in QUANTILES),
        )
    return drawn


if __name__ == "__main__":
    main()
