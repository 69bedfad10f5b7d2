"""When products of a kind are wanted: weeks of the year and days of the week."""

from dataclasses import dataclass

import numpy as np

from tfrec.launch.sales import Sales

WEEKS = 52
WEEKS_OF_START = 4
SHRINKAGE = 100.0
"""Customers that a kind of product needs before its own season counts as much as the shop's."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Season:
    """Demand over the year and the week; 1 is the average.

    Attributes:
        week: float `[52]`, demand of the `WEEKS_OF_START` weeks from each week of the year, NaN
            where the log does not have them.
        weekday: float `[7]`, from Monday.
        best_week: first day of the best week that comes, or None where no week is known.
        best_weekday: of `WEEKDAYS`, the one on which most is bought.
        years: how many years the log spans; from one alone, season and growth look the same.
    """

    week: np.ndarray
    weekday: np.ndarray
    best_week: np.datetime64 | None
    best_weekday: str
    years: float


class Seasons:
    """The seasons of a shop and of kinds of its products.

    Args:
        sales: the purchases; whole weeks of the last year are read.
    """

    def __init__(self, sales: Sales) -> None:
        self._sales = sales
        dates = sales.origin + np.arange(sales.end).astype("timedelta64[D]")
        self._weekday_of = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7
        self._week_of = week_of_year(dates)
        self._last_year = np.arange(sales.end) >= sales.end - 7 * WEEKS
        self._shop = self._demand(np.ones(sales.num_items))

    def of(self, rows: np.ndarray, weights: np.ndarray) -> Season:
        """Returns the season of products like those at `rows` (int `[K]`), weighted.

        A kind with few customers is given the season of the whole shop, one with many its own.
        """
        weight = np.zeros(self._sales.num_items)
        weight[rows] = weights / max(float(weights.max(initial=0.0)), 1e-9)
        own, shop = self._demand(weight), self._shop
        trust = own[2] / (own[2] + SHRINKAGE)
        week, weekday = (
            trust * np.nan_to_num(mine, nan=1.0) + (1 - trust) * whole
            for mine, whole in zip(own[:2], shop[:2], strict=True)
        )
        return Season(
            week=week,
            weekday=weekday,
            best_week=self._coming(int(np.nanargmax(week))) if np.isfinite(week).any() else None,
            best_weekday=WEEKDAYS[int(np.argmax(weekday))],
            years=self._sales.end / 365.25,
        )

    def _coming(self, week: int) -> np.datetime64:
        """Returns the next Monday that lies in a week of the year."""
        tomorrow = self._sales.date(self._sales.end)
        days = tomorrow + np.arange(400).astype("timedelta64[D]")
        monday = (days.astype("datetime64[D]").astype(np.int64) + 3) % 7 == 0
        return days[monday & (week_of_year(days) == week)][0]

    def _demand(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Returns demand by week and weekday relative to the mean, and the purchases behind it."""
        sales = self._sales
        daily = np.bincount(sales.day, weights=weight[sales.item], minlength=sales.end)
        total = float(daily[self._last_year].sum())
        days = np.bincount(self._week_of[self._last_year], minlength=WEEKS).astype(float)
        sold = np.bincount(
            self._week_of[self._last_year], weights=daily[self._last_year], minlength=WEEKS
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = np.where(days >= 4, sold / days, np.nan)
            ahead = np.stack([np.roll(rate, -step) for step in range(WEEKS_OF_START)]).mean(axis=0)
            week = ahead / np.nanmean(rate) if total else np.full(WEEKS, np.nan)
            per_weekday = np.bincount(self._weekday_of, weights=daily, minlength=7) / np.maximum(
                np.bincount(self._weekday_of, minlength=7), 1
            )
            mean = per_weekday.mean()
        return week, per_weekday / mean if mean else np.ones(7), total


def week_of_year(dates: np.ndarray) -> np.ndarray:
    """Returns int: weeks from 0 to 51, counted from New Year; the last takes the days left over."""
    days = (dates.astype("datetime64[D]") - dates.astype("datetime64[Y]")).astype(np.int64)
    return np.minimum(days // 7, WEEKS - 1)
