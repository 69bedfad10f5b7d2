"""Off-policy estimates on simulated logs: how far off they are, and whether intervals hold.

    python -m benchmarks.off_policy [--repeats 200] [--lists 1000] [--json FILE]

Assumptions: shoppers click by the position-based model, place k being looked at 1/k of the time,
and come four times on average. The logged model knows tastes roughly; its lists are ordered by its
scores, but for a share of places that is left to chance. The new model knows tastes better. The
chances that places are looked at are estimated from the same log. The truth is the expected click
rate of the new model's lists, which the simulation knows. `naive` is the click rate of the shown
items that the new model would show as well.
"""

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import json_option
from tfrec.config import FeedbackConfig, SurfaceConfig
from tfrec.feedback.comparison import NewOrders, compare_policies
from tfrec.feedback.estimators import Estimate, Support
from tfrec.feedback.labels import make_examples
from tfrec.feedback.simulation import simulate
from tfrec.files import write_json
from tfrec.monitoring.live.event_log import ShopperEvent
from tfrec.progress import progress

START = 1_700_000_000.0
PLACES, ITEMS = 5, 20
LISTS_A_SHOPPER = 4
LOOKS = 1.0 / np.arange(1, PLACES + 1)
SHARES = (0.0, 0.05, 0.2)
LOGGED_NOISE, NEW_NOISE = 0.3, 0.1


@dataclass(frozen=True)
class Simulated:
    """A comparison whose answer is known.

    Attributes:
        truth: clicks per place of the new policy.
        logged: clicks per place of the logged policy.
        estimates: by estimator.
        support: how well the log can tell.
    """

    truth: float
    logged: float
    estimates: dict[str, Estimate]
    support: Support


def simulated_comparison(
    lists: int, seed: int, share: float = 0.2, new_share: float = 0.0, count: int | None = None
) -> Simulated:
    """Writes a log, and estimates the click rate of a new policy from it.

    Args:
        lists: how many.
        seed: of all chance.
        share: share of the logged places that is left to chance.
        new_share: the same of the new policy.
        count: items of a list that are in the log; None for all.
    """
    random = np.random.default_rng(seed)
    taste = random.normal(size=(lists, ITEMS))
    attraction = 0.6 / (1.0 + np.exp(1.0 - taste))
    logged_scores = attraction + random.normal(0, LOGGED_NOISE, attraction.shape)
    new_scores = attraction + random.normal(0, NEW_NOISE, attraction.shape)
    log = simulate(attraction, logged_scores, LOOKS, share=share, random=random)
    lines = list(log.lines(START, shoppers=max(lists // LISTS_A_SHOPPER, 1), count=count))
    late = START + 30 * 86_400.0
    lines.append(ShopperEvent(event="end", time=late, received=late, user="end", item_id="end"))
    surface = SurfaceConfig(places=PLACES, depth=ITEMS, exploration_share=share)
    config = FeedbackConfig(places=PLACES, events=["click"], least_pauses=10**9)
    made = make_examples(lines, config, surface, by_score=True)
    assert made.examination is not None and len(made.table) == lists
    order = np.argsort(-new_scores, axis=1)
    names = np.array([f"item-{item}" for item in range(ITEMS)])
    found = compare_policies(
        made.table,
        NewOrders(
            names[order],
            np.take_along_axis(new_scores, order, axis=1),
            SurfaceConfig(places=PLACES, depth=ITEMS, exploration_share=new_share),
        ),
        made.examination.at(np.arange(1, PLACES + 1)),
        surface,
        ["click"],
        by_score=True,
        most_weight=1000.0,
    )
    return Simulated(
        truth=_expected_clicks(attraction, new_scores, new_share, random),
        logged=_expected_clicks(attraction, logged_scores, share, random),
        estimates=found.estimates["click"],
        support=found.support,
    )


def _expected_clicks(
    attraction: np.ndarray, scores: np.ndarray, share: float, random: np.random.Generator
) -> float:
    """Returns the clicks per place that a policy would get, over chance and shoppers' doings."""
    draws = 1 if share == 0 else 20
    total = 0.0
    for _ in range(draws):
        shown = simulate(attraction, scores, LOOKS, share=share, random=random).items[:, :PLACES]
        total += float((np.take_along_axis(attraction, shown, axis=1) * LOOKS).mean())
    return total / draws


def measure(repeats: int, lists: int) -> list[dict[str, float | str]]:
    """Returns bias, error and coverage of every estimator at every share of exploration."""
    rows: list[dict[str, float | str]] = []
    for share in SHARES:
        runs = [
            simulated_comparison(lists, seed, share)
            for seed in progress(range(repeats), description=f"Exploration {share}", unit="log")
        ]
        truth = np.array([run.truth for run in runs])
        for name in runs[0].estimates:
            found = [run.estimates[name] for run in runs]
            errors = np.array([estimate.value for estimate in found]) - truth
            inside = [
                estimate.low <= true <= estimate.high
                for estimate, true in zip(found, truth, strict=True)
            ]
            rows.append(
                {
                    "exploration": share,
                    "estimate": name,
                    "truth": float(truth.mean()),
                    "bias": float(errors.mean()),
                    "rmse": float(np.sqrt((errors**2).mean())),
                    "coverage": float(np.mean(inside)),
                    "covered": float(np.mean([run.support.covered for run in runs])),
                    "effective_lists": float(
                        np.mean([run.support.effective_lists for run in runs])
                    ),
                }
            )
    return rows


@click.command()
@click.option("--repeats", default=200, show_default=True, help="Logs for each share.")
@click.option("--lists", default=1000, show_default=True, help="Lists of a log.")
@json_option
def main(repeats: int, lists: int, json_path: Path | None) -> None:
    rows = measure(repeats, lists)
    table = Table("exploration", "estimate", box=box.MARKDOWN)
    for name in ("truth", "bias", "RMSE", "in interval", "weights cover", "effective lists"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row['exploration']:.2f}",
            str(row["estimate"]),
            f"{row['truth']:.4f}",
            f"{row['bias']:+.4f}",
            f"{row['rmse']:.4f}",
            f"{row['coverage']:.1%}",
            f"{row['covered']:.3f}",
            f"{row['effective_lists']:.0f}",
        )
    Console(width=120).print(table)
    if json_path is not None:
        write_json(json_path, {"repeats": repeats, "lists": lists, "rows": rows})


if __name__ == "__main__":
    main()
