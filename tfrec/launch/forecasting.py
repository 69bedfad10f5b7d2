"""How products start: learnt from the launches of a log, asked for products to come."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA

from tfrec.errors import UserError
from tfrec.launch.features import (
    BURN_IN_DAYS,
    COMPONENTS,
    DAYS,
    Eve,
    launch_features,
    seen_launches,
)
from tfrec.launch.model import FEWEST_TO_LEARN, Forecast, LaunchModel
from tfrec.launch.products import Products
from tfrec.launch.sales import Sales
from tfrec.progress import progress


@dataclass(frozen=True)
class StartForecast:
    """What is expected of the first `DAYS` days of some launches.

    Attributes:
        customers: different customers.
        units: units sold.
    """

    customers: Forecast
    units: Forecast


class LaunchForecaster:
    """Forecasts the first days of products from their text, price, number and season.

    Args:
        coverage: share of outcomes that the intervals should hold.
        use_ids: whether numbers in item ids mean something.
        seed: of the trees.
    """

    def __init__(self, *, coverage: float = 0.8, use_ids: bool = True, seed: int = 42) -> None:
        self.coverage = coverage
        self.use_ids = use_ids
        self.seed = seed

    def fit(self, products: Products, sales: Sales) -> "LaunchForecaster":
        """Learns from the launches whose first days are in the log.

        Args:
            products: every product of the catalogue; those to be asked later may be among them.
            sales: the purchases known; products and sales have the same rows.

        Raises:
            UserError: if the log holds too few launches.
        """
        launches = seen_launches(sales)
        if len(launches) < FEWEST_TO_LEARN:
            raise UserError(
                f"the log shows the first {DAYS} days of {len(launches)} launches (products first "
                f"sold later than its first {BURN_IN_DAYS - 1} days), and a forecast needs "
                f"{FEWEST_TO_LEARN}; give a longer event log"
            )
        on_sale = np.flatnonzero(sales.first_day < sales.end)
        # Launches to come must not bend the space in which they are compared.
        self.products = products.centred(on_sale)
        components = min(COMPONENTS, len(on_sale), self.products.vectors.shape[1])
        self._components = PCA(components, random_state=self.seed).fit(
            self.products.vectors[on_sale]
        )
        days = sales.first_day[launches]
        features = self._past(sales, launches, days)
        customers, units = sales.starts(DAYS)
        order = np.argsort(days, kind="stable")
        self._models = [
            LaunchModel(self.coverage, self.seed).fit(
                features[order], counts[launches][order], days[order]
            )
            for counts in (customers, units)
        ]
        self.launches = launches
        return self

    def predict(self, sales: Sales, rows: np.ndarray, launch_days: np.ndarray) -> StartForecast:
        """Forecasts products from what is known at the end of a log.

        Args:
            sales: the purchases known by now.
            rows: int `[T]`, products of `fit` that are not on sale.
            launch_days: int `[T]`, days on which they will be.
        """
        features = self._describe(sales, Eve.of(sales, sales.end), rows, launch_days)
        customers, units = (model.predict(features) for model in self._models)
        return StartForecast(customers, units)

    def _past(self, sales: Sales, launches: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Describes past launches, each on its own eve; float `[L, F]` in the order given."""
        parts = {
            int(day): self._describe(
                sales, Eve.of(sales, int(day)), launches[days == day], days[days == day]
            )
            for day in progress(np.unique(days), description="past launches", unit="day")
        }
        width = next(iter(parts.values())).shape[1]
        features = np.empty((len(launches), width))
        for day, part in parts.items():
            features[days == day] = part
        return features

    def _describe(
        self, sales: Sales, eve: Eve, rows: np.ndarray, launch_days: np.ndarray
    ) -> np.ndarray:
        columns = launch_features(
            self.products, eve, rows, day_of_year(sales, launch_days), use_ids=self.use_ids
        )
        text = self._components.transform(self.products.vectors[rows])
        return np.column_stack([*columns.values(), text])


def day_of_year(sales: Sales, days: np.ndarray) -> np.ndarray:
    """Returns how many days after New Year days of a log are."""
    dates = sales.origin + np.asarray(days).astype("timedelta64[D]")
    return (dates - dates.astype("datetime64[Y]")).astype(float)
