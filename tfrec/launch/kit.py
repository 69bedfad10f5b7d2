"""Everything a shop wants to know of products before they are on sale, in one go."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.config import ExperimentConfig
from tfrec.launch.buyers import SEGMENTS, BuyerModel, Shoppers
from tfrec.launch.expectations import Audience, Interval, Launch, LaunchKit, Neighbour
from tfrec.launch.features import BURN_IN_DAYS, DAYS, Eve, seen_launches
from tfrec.launch.forecasting import LaunchForecaster
from tfrec.launch.products import Products, join, products
from tfrec.launch.reading import Shop, read_new_items, read_shop
from tfrec.launch.rivals import at_risk, closest, rival_effect
from tfrec.launch.sales import Sales
from tfrec.launch.season import Seasons

CLOSEST = 5
OF_A_KIND = 60
WORDS = 5


def forecast_launches(
    events: str | Path,
    catalogue: str | Path,
    items: str | Path,
    config: ExperimentConfig,
    *,
    text_cache: Path,
    shoppers: int = 100,
    coverage: float = 0.8,
    use_ids: bool = True,
) -> LaunchKit:
    """Forecasts products that are not yet on sale.

    Args:
        events: path or glob of the event log.
        catalogue: path or glob of the products in it.
        items: path or glob of the products to come; `launched_at` may say when.
        config: how to read the files, and the BERT.
        text_cache: folder of text vectors, where the configuration names none.
        shoppers: how many likely buyers to list.
        coverage: share of outcomes that the intervals should hold.
        use_ids: whether numbers in item ids mean something.

    Raises:
        UserError: if an input cannot be used, or holds too few launches to learn from.
    """
    shop = read_shop(events, catalogue, config.data)
    fresh = read_new_items(items, config.data, shop)
    # TensorFlow takes seconds to import, and a wrong file should be named at once.
    from tfrec.towers.bert.vectors import TextVectors
    from tfrec.towers.bert.weights import find_weights

    cache = Path(config.text.cache_dir) if config.text.cache_dir else text_cache
    encoder = TextVectors(cache, find_weights(config.text.bert), config.text.max_tokens)
    return assemble(
        shop,
        fresh,
        encoder.encode,
        shoppers=shoppers,
        coverage=coverage,
        use_ids=use_ids,
        seed=config.seed,
    )


def assemble(
    shop: Shop,
    fresh: pd.DataFrame,
    encode: Callable[[list[str]], np.ndarray],
    *,
    shoppers: int,
    coverage: float = 0.8,
    use_ids: bool = True,
    seed: int = 42,
) -> LaunchKit:
    """Forecasts the products of an item table.

    Args:
        shop: the log and its catalogue.
        fresh: item table of the products to come; those that the catalogue already has without a
            sale take the place of what it says.
        encode: gives texts their vectors float32 `[n, D]`.
        shoppers: how many likely buyers to list.
        coverage: share of outcomes that the intervals should hold.
        use_ids: whether numbers in item ids mean something.
        seed: of the trees.
    """
    old = _products(shop.items, encode)
    sales = shop.sales.with_items(len(fresh))
    everything = join(old, _products(fresh, encode))
    rows = np.arange(len(old), len(everything))
    days = _launch_days(fresh, sales)
    forecaster = LaunchForecaster(coverage=coverage, use_ids=use_ids, seed=seed)
    forecaster.fit(everything, sales)
    forecast = forecaster.predict(sales, rows, days)
    view = _View(forecaster.products, sales, shoppers)
    launches = []
    for place, row in enumerate(rows):
        customers, units = (
            Interval(*(round(float(ends[place]), 1) for ends in (one.median, one.low, one.high)))
            for one in (forecast.customers, forecast.units)
        )
        launches.append(view.launch(int(row), int(days[place]), customers, units))
    return LaunchKit(
        launches=sorted(launches, key=lambda each: (-each.customers.median, each.item_id)),
        known_until=str(sales.date(sales.end - 1)),
        days=DAYS,
        coverage=coverage,
        learnt_from=len(forecaster.launches),
        rival_effect=rival_effect(forecaster.products, sales),
    )


class _View:
    """A shop on the last day of its log, asked about one product after the other."""

    def __init__(self, products: Products, sales: Sales, shoppers: int) -> None:
        self._products, self._sales, self._count = products, sales, shoppers
        self._eve = Eve.of(sales, sales.end)
        self._shoppers = Shoppers.of(products, sales, sales.end)
        self._buyers = BuyerModel().fit(products, sales)
        self._seasons = Seasons(sales)
        self._starts = np.expm1(self._eve.start_customers[seen_launches(sales)])
        recent = np.expm1(self._eve.customers)
        self._recent = recent[recent > 0]

    def launch(self, row: int, day: int, customers: Interval, units: Interval) -> Launch:
        """Puts together what is expected of one product."""
        products, eve = self._products, self._eve
        rows, cosine = closest(products, eve, row, OF_A_KIND)
        rivals, rivalry = at_risk(products, eve, row, CLOSEST)
        return Launch(
            item_id=str(products.item_id[row]),
            title=str(products.title[row]),
            price=_price(products, row),
            day=str(self._sales.date(day)),
            customers=customers,
            units=units,
            rank=int((self._recent > customers.median).sum()) + 1,
            catalogue=len(self._recent),
            better_starts=float((self._starts > customers.median).mean()),
            audience=self._audience(row, customers.median),
            closest=[self._neighbour(int(at), row) for at in rows[:CLOSEST]],
            at_risk=[
                self._neighbour(int(at), row, float(much))
                for at, much in zip(rivals, rivalry, strict=True)
            ],
            season=self._seasons.of(rows, np.maximum(cosine, 0.0) ** 4),
        )

    def _audience(self, row: int, customers: float) -> Audience:
        who = self._shoppers
        chance = self._buyers.probabilities(self._products, who, row, customers)
        order = np.argsort(-chance, kind="stable")[: self._count]
        return Audience(
            shoppers=[str(user) for user in self._sales.users[who.active[order]]],
            probability=[round(float(each), 4) for each in chance[order]],
            segments=_shares(who.segment[order]),
            segments_of_all=_shares(who.segment),
            words=self._words(order),
        )

    def _words(self, chosen: np.ndarray) -> list[str]:
        """Returns the words by which the titles of what they bought differ from the others'."""
        who = self._shoppers
        owner = np.repeat(
            np.arange(len(who.active)), np.diff(np.append(who.offsets, len(who.item)))
        )
        theirs = np.bincount(who.item[np.isin(owner, chosen)], minlength=len(self._products))
        everyone = np.bincount(who.item, minlength=len(self._products))
        words: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for row in np.flatnonzero(everyone):
            for word in {w for w in str(self._products.title[row]).lower().split() if len(w) > 2}:
                words[0][word] += int(theirs[row])
                words[1][word] += int(everyone[row])
        expected = theirs.sum() / max(everyone.sum(), 1)
        excess = {
            word: (count - words[1][word] * expected) / np.sqrt(words[1][word] * expected + 1)
            for word, count in words[0].items()
        }
        best = sorted(excess, key=lambda word: (-excess[word], word))[:WORDS]
        return [word for word in best if excess[word] > 0]

    def _neighbour(self, at: int, row: int, rivalry: float | None = None) -> Neighbour:
        products, eve = self._products, self._eve
        first = int(self._sales.first_day[at])
        is_seen = first >= BURN_IN_DAYS
        is_over = is_seen and first + DAYS <= self._sales.end
        return Neighbour(
            item_id=str(products.item_id[at]),
            title=str(products.title[at]),
            price=_price(products, at),
            similarity=round(float(products.vectors[at] @ products.vectors[row]), 3),
            on_sale_since=str(self._sales.date(first)) if is_seen else None,
            start_customers=_count(eve.start_customers[at]) if is_over else None,
            start_units=_count(eve.start_units[at]) if is_over else None,
            recent_customers=_count(eve.customers[at]),
            rivalry=None if rivalry is None else round(rivalry, 3),
        )


def _products(items: pd.DataFrame, encode: Callable[[list[str]], np.ndarray]) -> Products:
    return products(
        items["item_id"].tolist(),
        items["title"].tolist(),
        items["price"].tolist(),
        encode(items["text"].tolist()),
    )


def _launch_days(fresh: pd.DataFrame, sales: Sales) -> np.ndarray:
    """Returns int `[T]`: the planned days, or the day after the log where there is no later one."""
    planned = fresh["launched_at"].to_numpy().astype("datetime64[D]")
    days = np.array([sales.end if np.isnat(day) else sales.day_of(day) for day in planned])
    return np.maximum(days, sales.end).astype(np.int64)


def _shares(segments: np.ndarray) -> dict[str, float]:
    counts = np.bincount(segments, minlength=len(SEGMENTS)) / max(len(segments), 1)
    return {name: round(float(share), 4) for name, share in zip(SEGMENTS, counts, strict=True)}


def _price(products: Products, row: int) -> float | None:
    price = float(products.price[row])
    return price if np.isfinite(price) else None


def _count(log_count: float) -> int:
    return round(float(np.expm1(log_count)))
