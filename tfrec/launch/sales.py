"""The purchases of a log, day by day, and how the products in it started."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

NEVER = np.iinfo(np.int32).max
"""First day of a product that was never sold."""


@dataclass(frozen=True)
class Sales:
    """Purchases as flat arrays, in no particular order.

    Attributes:
        origin: the log's first day.
        users: str `[U]`, hashed ids.
        num_items: products, sold or not.
        user: int64 `[n]`, position in `users`.
        item: int64 `[n]`, row of the product.
        day: int64 `[n]`, days since `origin`.
        units: float `[n]`.
    """

    origin: np.datetime64
    users: np.ndarray
    num_items: int
    user: np.ndarray
    item: np.ndarray
    day: np.ndarray
    units: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    @cached_property
    def end(self) -> int:
        """The day after the last one of the log."""
        return int(self.day.max(initial=-1)) + 1

    @cached_property
    def first_day(self) -> np.ndarray:
        """int64 `[num_items]`: the day of the first sale, `NEVER` where there is none."""
        first = np.full(self.num_items, NEVER, np.int64)
        np.minimum.at(first, self.item, self.day)
        return first

    def date(self, day: int) -> np.datetime64:
        """Returns the date of a day."""
        return self.origin + np.timedelta64(day, "D")

    def day_of(self, date: np.datetime64) -> int:
        """Returns the day of a date."""
        return int((date.astype("datetime64[D]") - self.origin) / np.timedelta64(1, "D"))

    def take(self, mask: np.ndarray) -> "Sales":
        """Returns the purchases of `mask` (bool `[n]`), days counted from the same origin."""
        return replace(
            self,
            user=self.user[mask],
            item=self.item[mask],
            day=self.day[mask],
            units=self.units[mask],
        )

    def before(self, day: int) -> "Sales":
        """Returns the purchases before a day: what was known on its eve."""
        return self.take(self.day < day)

    def with_items(self, added: int) -> "Sales":
        """Returns the same purchases in a catalogue with `added` more products after the others."""
        return replace(self, num_items=self.num_items + added)

    def window(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns how many customers and units each product had from day `start` to `stop`.

        Returns:
            float `[num_items]` each; `stop` itself is left out.
        """
        inside = (self.day >= start) & (self.day < stop)
        return self._totals(inside)

    def starts(self, days: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the customers and units of each product's first `days` days on sale.

        Returns:
            float `[num_items]` each; 0 for products that were never sold, and less than the truth
            for those whose first days are not over at the end of the log.
        """
        return self._totals(self.day < self.first_day[self.item] + days)

    def _totals(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        item, user = self.item[inside], self.user[inside]
        pairs = np.unique(item * np.int64(max(len(self.users), 1)) + user)
        customers = np.bincount(pairs // max(len(self.users), 1), minlength=self.num_items)
        units = np.bincount(item, weights=self.units[inside], minlength=self.num_items)
        return customers.astype(float), units
