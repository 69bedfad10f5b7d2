"""Products that a launch resembles, and those that it may take customers from."""

from dataclasses import dataclass

import numpy as np

from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.launch.features import DAYS, PRICE_WIDTH, Eve, seen_launches
from tfrec.launch.products import Products
from tfrec.launch.sales import Sales

ALIKE = 0.5
"""Cosine of centred title vectors from which a shopper may take one product for the other."""

SETTLED_DAYS = 2 * DAYS
"""Days on sale from which a product's demand is no start any more."""


@dataclass(frozen=True)
class RivalEffect:
    """What earlier launches did to products like them.

    Attributes:
        change: relative change of the customers of like products, beyond that of the other
            products, in the first `DAYS` days; -0.1 is a tenth lost. NaN if never seen.
        low: lower end of its 95 % interval over launches.
        high: upper end.
        launches: how many had like products.
    """

    change: float
    low: float
    high: float
    launches: int

    @property
    def is_loss(self) -> bool:
        """Whether the interval leaves no doubt that customers were lost."""
        return bool(self.high < 0)


def closest(products: Products, eve: Eve, row: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the products on sale that are most like another, and their cosines."""
    cosine = products.vectors[eve.on_sale] @ products.vectors[row]
    order = np.argsort(-cosine, kind="stable")[:count]
    return eve.on_sale[order], cosine[order]


def at_risk(products: Products, eve: Eve, row: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the products that may lose most to another, and how much they rival it.

    Returns:
        Rows int, those with the most exposed customers first, and float: cosine times closeness of
        the prices, 1 for the same product again.
    """
    rows, cosine = closest(products, eve, row, len(eve.on_sale))
    gap = products.log_price[rows] - products.log_price[row]
    rivalry = cosine * np.exp(-(gap**2) / (2 * PRICE_WIDTH**2))
    exposed = np.where(cosine >= ALIKE, rivalry, 0.0) * np.expm1(eve.customers[rows])
    order = np.argsort(-exposed, kind="stable")[:count]
    order = order[exposed[order] > 0]
    return rows[order], rivalry[order]


def rival_effect(products: Products, sales: Sales) -> RivalEffect:
    """Measures on earlier launches how the demand of like products moved.

    A difference of differences: the customers of products like the launch in the `DAYS` days from
    it, over those in as many days before it, beside the same ratio of all other products. Both
    are of products long on sale, as new ones rise by themselves.
    """
    logs = []
    launches = seen_launches(sales)
    for day in np.unique(sales.first_day[launches]):
        settled = np.flatnonzero(sales.first_day <= day - SETTLED_DAYS)
        before = sales.window(day - DAYS, day)[0][settled]
        after = sales.window(day, day + DAYS)[0][settled]
        for row in launches[sales.first_day[launches] == day]:
            like = products.vectors[settled] @ products.vectors[row] >= ALIKE
            if before[like].sum() and before[~like].sum() and after[~like].sum():
                moved = (after[like].sum() + 0.5) / (before[like].sum() + 0.5)
                logs.append(np.log(moved / (after[~like].sum() / before[~like].sum())))
    if not logs:
        return RivalEffect(float("nan"), float("nan"), float("nan"), 0)
    low, high = bootstrap_interval(np.array(logs)[:, None])
    return RivalEffect(
        float(np.expm1(np.mean(logs))),
        float(np.expm1(low[0])),
        float(np.expm1(high[0])),
        len(logs),
    )
