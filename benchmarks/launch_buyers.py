"""Measures the lists of likely buyers of launches against who bought.

    python -m benchmarks.launch_buyers [--validate] [--json FILE]

For every product first sold from 2011-09-01 to 2011-11-08, the shoppers active by 2011-09-01 are
ordered, from what was known by then. `recall@100` is the share of those who bought in the product's
first thirty days that is among the first hundred, and `precision@100` the share of these hundred
who did; means over launches with five known buyers or more, 95 % bootstrap intervals.
"""

from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks.launch_forecast import load_shop, period, period_options
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.files import write_json
from tfrec.launch.buyers import BuyerModel, Shoppers, first_buyers
from tfrec.launch.products import Products
from tfrec.launch.sales import Sales

LISTED = 100
FEWEST_BUYERS = 5
METRICS = ("recall@100", "precision@100", "AUC")


def measure(products: Products, sales: Sales, start: int, stop: int) -> dict[str, np.ndarray]:
    """Returns the metrics float `[launches, 3]` by the way shoppers are ordered."""
    known = sales.before(start)
    centred = products.centred(np.flatnonzero(known.first_day < start))
    model, shoppers = BuyerModel().fit(centred, known), Shoppers.of(centred, known, start)
    figures: dict[str, list[list[float]]] = {}
    for row in np.flatnonzero((sales.first_day >= start) & (sales.first_day < stop)).tolist():
        label = np.isin(shoppers.active, first_buyers(sales, row))
        if label.sum() < FEWEST_BUYERS:
            continue
        features = shoppers.features(centred, row)
        for name, score in (
            ("products bought lately", features[:, 4]),
            ("closeness to what was bought", features[:, 1]),
            ("buyer model", model.probabilities(centred, shoppers, row, 10.0)),
        ):
            hits = label[np.argsort(-score, kind="stable")[:LISTED]].sum()
            auc = float(roc_auc_score(label, score))
            figures.setdefault(name, []).append([hits / label.sum(), hits / LISTED, auc])
    return {name: np.array(values) for name, values in figures.items()}


@click.command()
@period_options
def command(validate: bool, json_file: Path | None) -> None:
    """Print how many of the first buyers the lists hold."""
    products, sales = load_shop()
    start, stop = (sales.day_of(date) for date in period(validate))
    figures = measure(products, sales, start, stop)
    launches = len(next(iter(figures.values())))
    table = Table(title=f"{launches} launches", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("shoppers ordered by")
    results = {}
    for metric in METRICS:
        table.add_column(metric, justify="right")
    for name, values in figures.items():
        low, high = bootstrap_interval(values)
        means = values.mean(axis=0)
        results[name] = {
            metric: [float(means[i]), float(low[i]), float(high[i])]
            for i, metric in enumerate(METRICS)
        }
        table.add_row(name, *(f"{m:.3f} ({b:.3f} … {e:.3f})" for m, b, e in results[name].values()))
    Console(width=150, highlight=False).print(table)
    if json_file:
        write_json(json_file, results)


if __name__ == "__main__":
    command()
