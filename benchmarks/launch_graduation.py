"""Replays launches buyer by buyer: when to trust a product's buyers more than its text.

    python -m benchmarks.launch_graduation [--validate] [--json FILE]

Shoppers are points in the space of a truncated SVD of who bought what before the period. A ridge
regression of products' mean buyers on their text vectors foretells where a new product lies; its
first buyers, one after the other, say where it does. After n buyers every active shopper is ordered
by cosine to the product; the table shows how well the buyers after the tenth, the same for every n,
stand above the shoppers who did not buy (area under the ROC curve, mean over launches with at least
fifteen known buyers, 95 % bootstrap intervals). `--validate` replays May to July, on which
`halfway` was chosen, and not the launches from 2011-09-01.
"""

from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from benchmarks.launch_forecast import load_shop, period, period_options
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.files import write_json
from tfrec.launch.buyers import ACTIVE_DAYS
from tfrec.launch.graduation import graduated, unit
from tfrec.launch.products import Products
from tfrec.launch.sales import Sales

DIMENSION = 64
SEEN = (0, 1, 2, 3, 5, 10)
FEWEST_BUYERS = 15
REPLAY_DAYS = 60
HALFWAY = (1.0, 3.0, 10.0, 30.0)
ONLY_TEXT, ONLY_BUYERS = "text alone", "buyers alone"


def space(products: Products, sales: Sales, cut: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the shoppers' unit vectors, float `[U, D]`, and those foretold for all products.

    Only purchases before the day `cut` are used; a shopper without any has zeros.
    """
    known = sales.before(cut)
    shape = (len(sales.users), sales.num_items)
    counts = sparse.csr_matrix((np.ones(len(known)), (known.user, known.item)), shape=shape)
    counts.data = np.log1p(counts.data)
    shoppers = unit(TruncatedSVD(DIMENSION, random_state=0).fit_transform(counts))
    seen = np.asarray(counts.sum(axis=1)).ravel() > 0
    shoppers = np.where(seen[:, None], unit(shoppers - shoppers[seen].mean(axis=0)), 0.0)
    bought = (counts > 0).astype(float)
    buyers = np.asarray(bought.sum(axis=0)).ravel()
    means = (bought.T @ shoppers) / np.maximum(buyers, 1)[:, None]
    taught = np.flatnonzero(buyers >= FEWEST_BUYERS)
    centred = products.centred(taught).vectors
    text = Ridge(alpha=3.0).fit(centred[taught], unit(means[taught])).predict(centred)
    return shoppers, text


def replay(products: Products, sales: Sales, start: int, stop: int) -> dict[str, np.ndarray]:
    """Returns the areas float `[launches, len(SEEN)]` by the way a product is placed."""
    shoppers, text = space(products, sales, start)
    known = sales.before(start)
    last = np.full(len(sales.users), -ACTIVE_DAYS * 10, np.int64)
    np.maximum.at(last, known.user, known.day)
    active = np.flatnonzero(last >= start - ACTIVE_DAYS)
    areas: dict[str, list[list[float]]] = {}
    for row in np.flatnonzero((sales.first_day >= start) & (sales.first_day < stop)):
        mine = (sales.item == row) & (sales.day < sales.first_day[row] + REPLAY_DAYS)
        order = np.argsort(sales.day[mine], kind="stable")
        buyers = list(dict.fromkeys(sales.user[mine][order].tolist()))
        buyers = [user for user in buyers if last[user] >= start - ACTIVE_DAYS]
        if len(buyers) < FEWEST_BUYERS:
            continue
        asked = np.setdiff1d(active, buyers[: max(SEEN)])
        label = np.isin(asked, buyers)
        for name, vectors in _placed(text[row], shoppers[buyers[: max(SEEN)]]).items():
            scores = shoppers[asked] @ vectors.T
            areas.setdefault(name, []).append(
                [float(roc_auc_score(label, scores[:, place])) for place in range(len(SEEN))]
            )
    return {name: np.array(values) for name, values in areas.items()}


def _placed(text: np.ndarray, buyers: np.ndarray) -> dict[str, np.ndarray]:
    """Returns float `[len(SEEN), D]` by way: where a product lies after its first buyers."""
    taught = np.stack([buyers[:seen].mean(axis=0) if seen else text for seen in SEEN])
    told = np.repeat(text[None], len(SEEN), axis=0)
    ways = {ONLY_TEXT: unit(told), ONLY_BUYERS: unit(taught)}
    for halfway in HALFWAY:
        ways[f"graduating, halfway at {halfway:g}"] = graduated(
            told, taught, np.array(SEEN), halfway
        )
    return ways


@click.command()
@period_options
def command(validate: bool, json_file: Path | None) -> None:
    """Print when buyers say more of a product than its text."""
    products, sales = load_shop()
    start, stop = (sales.day_of(date) for date in period(validate))
    areas = replay(products, sales, start, stop)
    launches = len(areas[ONLY_TEXT])
    table = Table(
        title=f"{launches} launches with {FEWEST_BUYERS} known buyers or more",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("product's vector")
    for seen in SEEN:
        table.add_column(f"{seen} buyers", justify="right")
    results = {}
    for name, values in areas.items():
        low, high = bootstrap_interval(values)
        results[name] = {
            str(seen): [float(mean), float(begin), float(end)]
            for seen, mean, begin, end in zip(SEEN, values.mean(axis=0), low, high, strict=True)
        }
        table.add_row(
            name,
            *(
                f"{mean:.3f} ±{(end - begin) / 2:.3f}"
                for mean, begin, end in results[name].values()
            ),
        )
    Console(width=150, highlight=False).print(table)
    if json_file:
        write_json(json_file, results)


if __name__ == "__main__":
    command()
