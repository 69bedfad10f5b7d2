"""Simulates how fast good launches are found by showing them, and what that costs.

    python -m benchmarks.launch_exploration [--repeats 200] [--quota 0.05] [--json FILE]

Assumptions, all of them: the products are the 230 launches of `benchmarks.launch_forecast`, all new
on one day and forecast on its eve. Their true buyers an impression are what their first 30 days
really brought, over 1,000 impressions each. Buyers are Poisson; impressions are alike, buyers known
by night, tastes do not matter and nothing wears off. The shop has 30,000 impressions a day; a quota
of them goes to new products, the rest to products on sale that bring as many buyers an impression
as the best tenth of the launches do. Without exploration no impression is given to new products by
plan, and they are found by the trickle of search and browsing that every policy has: one
impression a product and day.

`found` is the share of the twenty truly best launches among the twenty that look best so far, by
posterior mean. `cost` is the buyers given up against showing products on sale in the quota.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.launch_forecast import TEST, load_shop, once
from tfrec.files import write_json
from tfrec.launch.exploration import Beliefs, shared_out, thompson
from tfrec.launch.features import DAYS
from tfrec.launch.model import Forecast
from tfrec.progress import progress

IMPRESSIONS_OF_A_START = 1000.0
IMPRESSIONS_A_DAY = 30_000
TRICKLE = 1
BEST = 20
SHOWN_DAYS = (1, 3, 7, 14, 30)

Allot = Callable[[Beliefs, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Policy:
    """A way to spend the quota.

    Attributes:
        name: in the table.
        uses_forecast: whether beliefs begin with it.
        allot: gives impressions; None for no exploration.
    """

    name: str
    uses_forecast: bool
    allot: Allot | None


def evenly(beliefs: Beliefs, quota: int, _: np.random.Generator) -> np.ndarray:
    """Shows all products alike."""
    return shared_out(np.ones(len(beliefs.shape)), quota)


def greedily(beliefs: Beliefs, quota: int, _: np.random.Generator) -> np.ndarray:
    """Shows the products that look best, alike."""
    best = np.argsort(-beliefs.mean, kind="stable")[:BEST]
    return shared_out(np.isin(np.arange(len(beliefs.shape)), best).astype(float), quota)


POLICIES = (
    Policy("no exploration, no forecast", False, None),
    Policy("no exploration, forecast", True, None),
    Policy("all alike", False, evenly),
    Policy("the best so far, forecast", True, greedily),
    Policy("Thompson, no forecast", False, thompson),
    Policy("Thompson, forecast", True, thompson),
)


def simulate(
    policy: Policy, forecast: Forecast, outcome: np.ndarray, quota: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a policy for `DAYS` days.

    Args:
        policy: what to do.
        forecast: of customers.
        outcome: float `[T]`, true customers.
        quota: impressions a day.
        seed: of buyers and draws.

    Returns:
        float `[DAYS + 1]` each, by the end of every day, day 0 being the eve: the share of the best
        launches found, and the buyers that the quota brought.
    """
    generator = np.random.default_rng(seed)
    rate = outcome / IMPRESSIONS_OF_A_START
    best = np.argsort(-outcome, kind="stable")[:BEST]
    if policy.uses_forecast:
        beliefs = Beliefs.from_forecast(forecast, IMPRESSIONS_OF_A_START)
    else:
        beliefs = Beliefs.flat(len(outcome), float(rate.mean()))
    found, brought = np.zeros(DAYS + 1), np.zeros(DAYS + 1)
    found[0] = _found(beliefs, best, generator)
    for day in range(1, DAYS + 1):
        shown = np.zeros(len(outcome), np.int64)
        if policy.allot is not None:
            shown = policy.allot(beliefs, quota, generator)
        buyers = generator.poisson(rate * shown)
        organic = generator.poisson(rate * TRICKLE)
        beliefs = beliefs.after(shown + TRICKLE, buyers + organic)
        found[day] = _found(beliefs, best, generator)
        brought[day] = brought[day - 1] + buyers.sum()
    return found, brought


def _found(beliefs: Beliefs, best: np.ndarray, generator: np.random.Generator) -> float:
    # Equal means are ordered by chance, not by the order of the file.
    order = np.lexsort((generator.random(len(beliefs.shape)), -beliefs.mean))
    return float(np.isin(best, order[:BEST]).mean())


def compare(forecast: Forecast, outcome: np.ndarray, quota: int, repeats: int) -> list[dict]:
    """Returns the figures of every policy, means over the repeats with their 95 % intervals."""
    # What an impression of a product on sale brings, in place of one of a new product.
    on_sale = float(np.quantile(outcome, 0.9)) / IMPRESSIONS_OF_A_START
    results = []
    for policy in progress(POLICIES, description="policies", unit="policy"):
        runs = [simulate(policy, forecast, outcome, quota, seed) for seed in range(repeats)]
        found = np.array([run[0] for run in runs])
        spent = 0 if policy.allot is None else quota * np.arange(DAYS + 1)
        cost = spent * on_sale - np.array([run[1] for run in runs])
        error = 1.96 / np.sqrt(repeats)
        results.append(
            {
                "policy": policy.name,
                "found": {
                    day: [float(found[:, day].mean()), float(error * found[:, day].std())]
                    for day in (0, *SHOWN_DAYS)
                },
                "cost": {
                    day: [float(cost[:, day].mean()), float(error * cost[:, day].std())]
                    for day in SHOWN_DAYS
                },
                "buyers_on_sale_in_the_quota": float(quota * DAYS * on_sale),
            }
        )
    return results


@click.command()
@click.option("--repeats", type=click.IntRange(min=2), default=200, show_default=True)
@click.option("--quota", type=click.FloatRange(0.001, 1.0), default=0.05, show_default=True)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here, too."
)
def command(repeats: int, quota: float, json_file: Path | None) -> None:
    """Print how fast good launches are found, and what it costs."""
    catalogue, sales = load_shop()
    first, last = (sales.day_of(np.datetime64(date)) for date in TEST)
    rows = np.flatnonzero((sales.first_day >= first) & (sales.first_day < last))
    forecast = once(catalogue, sales, rows, first)[0].customers
    results = compare(
        forecast, sales.starts(DAYS)[0][rows], round(quota * IMPRESSIONS_A_DAY), repeats
    )
    table = Table(
        title=f"{len(rows)} launches, {quota:.0%} of {IMPRESSIONS_A_DAY:,} impressions a day, "
        f"{repeats} repeats (± 95 %)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("policy")
    for day in (0, *SHOWN_DAYS):
        table.add_column(f"found, day {day}", justify="right")
    for day in (7, 30):
        table.add_column(f"cost, day {day}", justify="right")
    for one in results:
        table.add_row(
            one["policy"],
            *(f"{mean:.0%} ±{error:.1%}" for mean, error in one["found"].values()),
            *(f"{one['cost'][day][0]:,.0f} ±{one['cost'][day][1]:,.0f}" for day in (7, 30)),
        )
    Console(width=170, highlight=False).print(table)
    if json_file:
        write_json(json_file, results)


if __name__ == "__main__":
    command()
