"""Which shoppers may buy a product that nobody has bought, learnt from earlier launches."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from tfrec.launch.features import DAYS, seen_launches
from tfrec.launch.products import Products
from tfrec.launch.sales import Sales

LAUNCHES = 80
"""Of the latest, to learn from."""

ACTIVE_DAYS = 180
"""A shopper without a purchase for longer is not asked about."""

RECENT_DAYS = 90
SHARPNESS = 10.0
"""Of the soft maximum over what a shopper bought: 10 is a temperature of 0.1 on cosines."""

FREQUENT = 4
"""Days with a purchase in `RECENT_DAYS` from which a shopper is a frequent one."""

SEGMENTS = ("frequent", "occasional", "new", "lapsed")


@dataclass(frozen=True)
class Shoppers:
    """The shoppers of a log as they stood before a day; `A` of them were active.

    Attributes:
        day: the day.
        active: int `[A]`, positions in the log's users.
        item: int `[P]`, what they bought, each product once a shopper, shopper by shopper.
        offsets: int `[A]`, where each one's products begin.
        habits: float `[A, 4]`: log1p of days since the last purchase, of products and of days with
            a purchase in `RECENT_DAYS`, and the share of new products among those.
        log_price: float `[A]`, mean over the products.
        segment: int `[A]`, position in `SEGMENTS`.
    """

    day: int
    active: np.ndarray
    item: np.ndarray
    offsets: np.ndarray
    habits: np.ndarray
    log_price: np.ndarray
    segment: np.ndarray

    @classmethod
    def of(cls, products: Products, sales: Sales, day: int) -> "Shoppers":
        """Looks at the purchases before a day."""
        known = sales.before(day)
        last = np.full(len(sales.users), -1, np.int64)
        np.maximum.at(last, known.user, known.day)
        first = np.full(len(sales.users), day, np.int64)
        np.minimum.at(first, known.user, known.day)
        active = np.flatnonzero((last >= 0) & (last >= day - ACTIVE_DAYS))
        place = np.full(len(sales.users), -1, np.int64)
        place[active] = np.arange(len(active))
        owner, item = _pairs(place[known.user], known.item, sales.num_items)
        recent = known.day >= day - RECENT_DAYS
        lately, what = _pairs(place[known.user[recent]], known.item[recent], sales.num_items)
        days = _pairs(place[known.user[recent]], known.day[recent], day + 1)[0]
        count = np.bincount(lately, minlength=len(active))
        fresh = day - known.first_day[what] <= RECENT_DAYS
        new = np.bincount(lately, weights=fresh, minlength=len(active))
        visits = np.bincount(days, minlength=len(active))
        sizes = np.bincount(owner, minlength=len(active))
        return cls(
            day=day,
            active=active,
            item=item,
            offsets=np.cumsum(sizes) - sizes,
            habits=np.stack(
                [
                    np.log1p(day - last[active]),
                    np.log1p(count),
                    np.log1p(visits),
                    new / np.maximum(count, 1),
                ],
                axis=1,
            ),
            log_price=np.bincount(owner, products.log_price[item], len(active))
            / np.maximum(sizes, 1),
            segment=np.select(
                [day - first[active] <= DAYS, visits >= FREQUENT, visits > 0], [2, 0, 1], 3
            ),
        )

    def features(self, products: Products, row: int) -> np.ndarray:
        """Describes every active shopper and a product to come; float `[A, 7]`."""
        cosine = (products.vectors @ products.vectors[row])[self.item]
        sizes = np.diff(np.append(self.offsets, len(self.item)))
        closest = np.maximum.reduceat(cosine, self.offsets)
        mean = np.add.reduceat(np.exp(SHARPNESS * cosine), self.offsets) / sizes
        gap = np.abs(self.log_price - products.log_price[row])
        return np.column_stack([closest, np.log(mean), gap, self.habits])


class BuyerModel:
    """Says how likely each active shopper is among the first buyers of a product.

    A logistic regression over pairs of shopper and launch: how close the product is to what the
    shopper bought, whether its price is what he pays, how often and how lately he buys, and how
    much of that was new.
    """

    def fit(self, products: Products, sales: Sales) -> "BuyerModel":
        """Learns from the latest launches whose first days are in the log.

        Args:
            products: centred, with the rows of `sales`.
            sales: the purchases known.
        """
        launches = seen_launches(sales)
        launches = launches[np.argsort(sales.first_day[launches], kind="stable")][-LAUNCHES:]
        features, labels, shares = [], [], []
        for day in np.unique(sales.first_day[launches]):
            shoppers = Shoppers.of(products, sales, int(day))
            for row in launches[sales.first_day[launches] == day]:
                buyers = first_buyers(sales, row)
                bought = np.isin(shoppers.active, buyers)
                features.append(shoppers.features(products, row))
                labels.append(bought)
                shares.append(bought.sum() / len(buyers))
        label = np.concatenate(labels)
        self.known_share = float(np.mean(shares))
        self._model: Pipeline | None = None
        if 0 < label.sum() < len(label):
            self._model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            self._model.fit(np.concatenate(features), label)
        return self

    def probabilities(
        self, products: Products, shoppers: Shoppers, row: int, customers: float
    ) -> np.ndarray:
        """Returns float `[A]`: how likely each active shopper buys in the first days.

        The order is the model's; the level is that of the forecast, so that the probabilities add
        up to the customers that it expects among shoppers who are known already.

        Args:
            products: as in `fit`.
            shoppers: as they stand.
            row: the product.
            customers: forecast of the customers of its first days.
        """
        if self._model is None:
            scores = shoppers.features(products, row)[:, 0]
        else:
            scores = self._model.decision_function(shoppers.features(products, row))
        wanted = np.clip(customers * self.known_share, 1e-3, 0.5 * len(scores))
        shift = brentq(lambda move: expit(scores + move).sum() - wanted, -50.0, 50.0)
        return expit(scores + shift)


def first_buyers(sales: Sales, row: int) -> np.ndarray:
    """Returns int: the users who bought a product in its first `DAYS` days, sorted."""
    first = sales.first_day[row]
    return np.unique(sales.user[(sales.item == row) & (sales.day < first + DAYS)])


def _pairs(owner: np.ndarray, what: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the different pairs of those that have an owner, sorted."""
    kept = owner >= 0
    pairs = np.unique(owner[kept] * np.int64(width) + what[kept])
    return pairs // width, pairs % width
