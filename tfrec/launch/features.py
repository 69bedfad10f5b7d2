"""What is known of a launch on its eve, as numbers for a regression.

Every figure of a day uses purchases before that day only, so that a product of the past is
described as it would have been described then.
"""

from dataclasses import dataclass

import numpy as np

from tfrec.launch.products import Products
from tfrec.launch.sales import Sales

DAYS = 30
"""Length of a start, and of recent demand."""

BURN_IN_DAYS = 31
"""A product first sold in the log's first days was on sale before, and its start is not seen."""

TEXT_NEIGHBOURS = (5, 20, 60)
LAUNCH_NEIGHBOURS = (3, 10, 30)
NUMBER_NEIGHBOURS = 10
PRICE_NEIGHBOURS = 60
TEMPERATURE = 0.1
"""Of the weights of neighbours: a cosine larger by it weighs e times as much."""

PRICE_WIDTH = 0.5
"""Standard deviation of the weight of a neighbour's price, on the log scale."""

OLDEST = 120
"""Ages in days count up to this one: what is older is simply old."""

YEAR = 365.25
COMPONENTS = 12


@dataclass(frozen=True)
class Eve:
    """A shop as it stood before a day began.

    Attributes:
        day: the day.
        on_sale: int `[M]`, rows of the products sold before.
        launched: int `[L]`, rows of those whose whole start was seen.
        customers: float `[N]`, log1p of customers in the last `DAYS` days.
        units: float `[N]`, the same of units.
        quarter: float `[N]`, log1p of customers in three times as long.
        start_customers: float `[N]`, log1p of customers in the first `DAYS` days.
        start_units: float `[N]`, the same of units.
        age: float `[N]`, days on sale, up to `OLDEST`.
        shoppers: log1p of the shop's customers in the last `DAYS` days.
    """

    day: int
    on_sale: np.ndarray
    launched: np.ndarray
    customers: np.ndarray
    units: np.ndarray
    quarter: np.ndarray
    start_customers: np.ndarray
    start_units: np.ndarray
    age: np.ndarray
    shoppers: float

    @classmethod
    def of(cls, sales: Sales, day: int) -> "Eve":
        """Looks at the purchases before a day."""
        known = sales.before(day)
        first = known.first_day
        customers, units = known.window(day - DAYS, day)
        starts = known.starts(DAYS)
        recent = known.user[known.day >= day - DAYS]
        return cls(
            day=day,
            on_sale=np.flatnonzero(first < day),
            launched=np.flatnonzero((first >= BURN_IN_DAYS) & (first + DAYS <= day)),
            customers=np.log1p(customers),
            units=np.log1p(units),
            quarter=np.log1p(known.window(day - 3 * DAYS, day)[0]),
            start_customers=np.log1p(starts[0]),
            start_units=np.log1p(starts[1]),
            age=np.clip(day - first, 0, OLDEST).astype(float),
            shoppers=float(np.log1p(len(np.unique(recent)))),
        )


def seen_launches(sales: Sales) -> np.ndarray:
    """Returns int `[L]`: rows of the products whose start lies in the log from end to end."""
    first = sales.first_day
    return np.flatnonzero((first >= BURN_IN_DAYS) & (first + DAYS <= sales.end))


def launch_features(
    products: Products,
    eve: Eve,
    rows: np.ndarray,
    day_of_year: np.ndarray,
    *,
    use_ids: bool = True,
) -> dict[str, np.ndarray]:
    """Describes the launch of some products.

    Args:
        products: centred, the products at `rows` among them.
        eve: the shop as it stands.
        rows: int `[T]`; products that are not on sale.
        day_of_year: float `[T]`, of their launches.
        use_ids: whether numbers in item ids mean something.

    Returns:
        float `[T]` by name, always the same names in the same order; NaN where nothing is known.
    """
    season = 2 * np.pi * day_of_year / YEAR
    late = eve.launched[eve.age[eve.launched] <= 3 * DAYS]
    same = np.ones(len(rows))
    columns = {
        "shoppers": same * eve.shoppers,
        "season_sine": np.sin(season),
        "season_cosine": np.cos(season),
        "late_start_customers": same * _mean(eve.start_customers[late]),
        "late_start_units": same * _mean(eve.start_units[late]),
        "log_price": products.log_price[rows],
    }
    cosine = products.vectors[rows] @ products.vectors.T
    gap = np.abs(products.log_price[rows, None] - products.log_price[None, :])
    columns |= _text_neighbours(products, eve, rows, cosine, gap)
    columns |= _launch_neighbours(eve, cosine, gap)
    columns |= _price_neighbours(eve, gap)
    if use_ids:
        columns |= _number_neighbours(products, eve, rows)
    return columns


def _text_neighbours(
    products: Products, eve: Eve, rows: np.ndarray, cosine: np.ndarray, gap: np.ndarray
) -> dict[str, np.ndarray]:
    near, far = cosine[:, eve.on_sale], gap[:, eve.on_sale]
    order = np.argsort(-near, axis=1, kind="stable")
    columns = {
        "nearest": np.take_along_axis(near, order[:, :1], 1).mean(axis=1),
        "near": np.take_along_axis(near, order[:, :10], 1).mean(axis=1),
        "very_like": np.log1p((near > 0.6).sum(axis=1)),
        "like": np.log1p((near > 0.4).sum(axis=1)),
    }
    for count in TEXT_NEIGHBOURS:
        at = order[:, :count]
        found = eve.on_sale[at]
        close = np.take_along_axis(near, at, 1)
        plain = np.maximum(close, 0) ** 4
        priced = np.exp(
            close / TEMPERATURE - np.take_along_axis(far, at, 1) ** 2 / (2 * PRICE_WIDTH**2)
        )
        columns |= {
            f"text_customers_{count}": _weighted(plain, eve.customers[found]),
            f"text_units_{count}": _weighted(plain, eve.units[found]),
            f"text_quarter_{count}": _weighted(plain, eve.quarter[found]),
            f"text_age_{count}": _weighted(plain, eve.age[found]),
            f"text_dearer_{count}": products.log_price[rows]
            - _weighted(plain, products.log_price[found]),
            f"priced_customers_{count}": _weighted(priced, eve.customers[found]),
            f"priced_units_{count}": _weighted(priced, eve.units[found]),
        }
    return columns


def _launch_neighbours(eve: Eve, cosine: np.ndarray, gap: np.ndarray) -> dict[str, np.ndarray]:
    near, far = cosine[:, eve.launched], gap[:, eve.launched]
    order = np.argsort(-near, axis=1, kind="stable")
    columns = {"nearest_launch": np.max(near, axis=1, initial=-1.0)}
    for count in LAUNCH_NEIGHBOURS:
        at = order[:, :count]
        found = eve.launched[at]
        close = np.take_along_axis(near, at, 1)
        plain = np.exp(close / TEMPERATURE)
        priced = plain * np.exp(-(np.take_along_axis(far, at, 1) ** 2) / (2 * PRICE_WIDTH**2))
        columns |= {
            f"launch_customers_{count}": _weighted(plain, eve.start_customers[found]),
            f"launch_units_{count}": _weighted(plain, eve.start_units[found]),
            f"priced_launch_customers_{count}": _weighted(priced, eve.start_customers[found]),
            f"priced_launch_units_{count}": _weighted(priced, eve.start_units[found]),
        }
    return columns


def _price_neighbours(eve: Eve, gap: np.ndarray) -> dict[str, np.ndarray]:
    on_sale = eve.on_sale[np.argsort(gap[:, eve.on_sale], axis=1, kind="stable")]
    launched = eve.launched[np.argsort(gap[:, eve.launched], axis=1, kind="stable")]
    on_sale, launched = on_sale[:, :PRICE_NEIGHBOURS], launched[:, : PRICE_NEIGHBOURS // 2]
    return {
        "price_customers": _weighted(np.ones(on_sale.shape), eve.customers[on_sale]),
        "price_units": _weighted(np.ones(on_sale.shape), eve.units[on_sale]),
        "price_launch_customers": _weighted(np.ones(launched.shape), eve.start_customers[launched]),
        "price_launch_units": _weighted(np.ones(launched.shape), eve.start_units[launched]),
    }


def _number_neighbours(products: Products, eve: Eve, rows: np.ndarray) -> dict[str, np.ndarray]:
    number = products.id_number
    known = eve.on_sale[np.isfinite(number[eve.on_sale])]
    launched = eve.launched[np.isfinite(number[eve.launched])]
    own = number[rows, None]
    away, there = _nearest(np.abs(own - number[known]), NUMBER_NEIGHBOURS)
    weight = np.exp(-away / 20) + 1e-9
    columns = {
        "number_customers": _weighted(weight, eve.customers[known[there]]),
        "number_units": _weighted(weight, eve.units[known[there]]),
        "number_age": _weighted(weight, eve.age[known[there]]),
        "number_distance": np.log1p(_weighted(np.ones(away.shape), away)),
        "number_close": (np.abs(own - number[known]) <= 20).sum(axis=1).astype(float),
        "number_place": _weighted(np.ones((len(rows), len(known))), number[known] < own),
        "id_length": np.array([float(len(products.item_id[row])) for row in rows]),
    }
    away, there = _nearest(np.abs(own - number[launched]), NUMBER_NEIGHBOURS + 5)
    weight = np.exp(-away / 30) + 1e-9
    columns |= {
        "number_launch_customers": _weighted(weight, eve.start_customers[launched[there]]),
        "number_launch_units": _weighted(weight, eve.start_units[launched[there]]),
        "number_launch_distance": np.log1p(_weighted(np.ones(away.shape), away)),
    }
    missing = ~np.isfinite(number[rows])
    return {name: np.where(missing, np.nan, values) for name, values in columns.items()}


def _nearest(distance: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the `count` smallest of every row and their places."""
    there = np.argsort(distance, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(distance, there, 1), there


def _weighted(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the weighted mean of every row, NaN where all weights are 0 or there are none."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (weights * values).sum(axis=1) / total, np.nan)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
