"""When a shopper will buy next, from his own gaps between purchases and everybody's."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SECONDS_PER_DAY = 86_400
QUANTILES = (0.1, 0.5, 0.9)
"""Chances of having bought by the begin, the middle and the end of the window."""
NEVER = np.inf
_FEWEST_GAPS = 2
_HALF_A_DAY = 0.5


class PurchaseDays(NamedTuple):
    """The days on which each shopper bought, flat: shopper `i` owns ``offsets[i]:offsets[i + 1]``.

    Attributes:
        offsets: int64 `[shoppers + 1]`.
        days: int64, days since 1970, ascending and distinct within a shopper.
    """

    offsets: np.ndarray
    days: np.ndarray

    @classmethod
    def of(cls, owner: np.ndarray, timestamps: np.ndarray, shoppers: int) -> "PurchaseDays":
        """Reads purchases in any order; those without a time are left out.

        Args:
            owner: int `[purchases]`, the shopper of each.
            timestamps: int64 `[purchases]`, unix seconds; 0 for unknown.
            shoppers: how many there are.
        """
        known = timestamps > 0
        pairs = np.stack([owner[known], timestamps[known] // SECONDS_PER_DAY], axis=1)
        pairs = np.unique(pairs.astype(np.int64).reshape(-1, 2), axis=0)
        counts = np.bincount(pairs[:, 0], minlength=shoppers)
        return cls(np.concatenate([[0], np.cumsum(counts)]), pairs[:, 1])

    def log_gaps(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the shopper and the logarithm (of days) of every gap between two purchases."""
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        same = owner[1:] == owner[:-1]
        return owner[1:][same], np.log(np.diff(self.days)[same])


@dataclass(frozen=True)
class PurchaseRhythm:
    """How far apart purchases are: a shopper's own mean, shrunk to everybody's, and what is left.

    Logarithms of gaps vary around a shopper's mean, and the means around everybody's. A shopper
    with `n` gaps of mean `m` is expected at ``(n m + strength * mean) / (n + strength)``, where
    ``strength`` is the variance within shoppers over that between them (empirical Bayes, Efron
    and Morris, 1975), give or take ``spread * sqrt(1 + 1 / (n + strength))``. How gaps lie around
    that is not taken for normal: it is the survival curve of Kaplan and Meier (1958) over all
    gaps, each seen from the ones before it, and over the time since everybody's last purchase, so
    that who has stopped buying counts, too.

    Attributes:
        mean: mean of the logarithms of gaps in days.
        spread: their standard deviation within shoppers.
        strength: how many gaps everybody's mean is worth.
        places: float64 `[points]`, ascending standardised gaps.
        survival: float64 `[points]`, the share of gaps that are longer, falling.
    """

    mean: float
    spread: float
    strength: float
    places: np.ndarray
    survival: np.ndarray

    @classmethod
    def fit(cls, purchases: PurchaseDays, now: int) -> "PurchaseRhythm | None":
        """Learns the rhythm of a shop; None where too few shoppers bought again.

        Args:
            purchases: everybody's.
            now: the day on which the log ends.
        """
        owner, gaps = purchases.log_gaps()
        shoppers = len(purchases.offsets) - 1
        counts = np.bincount(owner, minlength=shoppers)
        repeated = counts >= _FEWEST_GAPS
        if repeated.sum() < _FEWEST_GAPS:
            return None
        means = np.divide(
            np.bincount(owner, gaps, shoppers), counts, out=np.zeros(shoppers), where=counts > 0
        )
        within = repeated[owner]
        freedom = counts[repeated].sum() - repeated.sum()
        variance = float(((gaps - means[owner])[within] ** 2).sum() / freedom)
        variance = max(variance, 1e-3)
        noise = variance * float((1.0 / counts[repeated]).mean())
        between = max(float(means[repeated].var(ddof=1)) - noise, 1e-3 * variance)
        mean, spread, strength = float(gaps.mean()), variance**0.5, variance / between
        none = np.zeros(0)
        uncurved = cls(mean, spread, strength, none, none)
        return cls(mean, spread, strength, *uncurved.curve(purchases, now))

    def curve(self, purchases: PurchaseDays, now: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns `places` and `survival` of a log: every gap as it looked from those before it.

        The time since a shopper's last purchase is a gap that has not ended yet.
        """
        places, ended = [np.zeros(0)], [np.zeros(0, bool)]
        for first, last in zip(purchases.offsets[:-1], purchases.offsets[1:], strict=True):
            if first == last:
                continue
            days = purchases.days[first:last]
            open_days = max(now - int(days[-1]), _HALF_A_DAY)
            gaps = np.log(np.append(np.diff(days), open_days))
            mean, deviation = self.expected(np.arange(len(gaps)), np.cumsum(gaps) - gaps)
            places.append((gaps - mean) / deviation)
            ended.append(np.arange(len(gaps)) < len(gaps) - 1)
        return survival_curve(np.concatenate(places), np.concatenate(ended))

    def expected(self, count: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and deviation of the logarithm of the next gap.

        Args:
            count: gaps of each shopper.
            total: sum of their logarithms.
        """
        weight = count + self.strength
        return (total + self.strength * self.mean) / weight, self.spread * np.sqrt(1 + 1 / weight)

    def windows(self, purchases: PurchaseDays, now: int) -> np.ndarray:
        """Returns the days, counted since each shopper's last purchase, of `QUANTILES`.

        They are those of a shopper who has not bought since; `NEVER` where fewer return.

        Args:
            purchases: everybody's.
            now: the day from which to look.

        Returns:
            float64 `[shoppers, 3]`; NaN for who has never bought.
        """
        owner, gaps = purchases.log_gaps()
        shoppers = len(purchases.offsets) - 1
        count = np.bincount(owner, minlength=shoppers)
        mean, deviation = self.expected(count, np.bincount(owner, gaps, shoppers))
        bought = np.diff(purchases.offsets) > 0
        last = np.zeros(shoppers)
        last[bought] = purchases.days[purchases.offsets[1:][bought] - 1]
        with np.errstate(divide="ignore"):
            waited = (np.log(np.maximum(now - last, 0.0)) - mean) / deviation
        places = self.quantiles(waited)
        days = np.exp(mean[:, np.newaxis] + deviation[:, np.newaxis] * places)
        return np.where(bought[:, np.newaxis], days, np.nan)

    def quantiles(self, waited: np.ndarray) -> np.ndarray:
        """Returns the standardised gaps of `QUANTILES` after a standardised wait.

        Args:
            waited: float `[shoppers]`, -inf for none.
        """
        position = np.searchsorted(self.places, waited, side="right") - 1
        left = np.where(position >= 0, self.survival[np.maximum(position, 0)], 1.0)
        goal = left[:, np.newaxis] * (1.0 - np.array(QUANTILES))
        # The first place at which no more than the goal are left; the curve falls.
        found = np.searchsorted(-self.survival, -goal, side="left")
        some = found < len(self.places)
        return np.where(some, self.places[np.minimum(found, len(self.places) - 1)], NEVER)


def survival_curve(places: np.ndarray, ended: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Kaplan-Meier curve: distinct places, and the share that lives on after each.

    Args:
        places: float `[count]`, how long each lived.
        ended: bool `[count]`, whether it ended then; it was last seen then otherwise.
    """
    order = np.argsort(places, kind="stable")
    points, first = np.unique(places[order], return_index=True)
    at_risk = len(places) - first
    ends = np.add.reduceat(ended[order].astype(float), first)
    survival = np.cumprod(1.0 - ends / at_risk)
    falls = ends > 0
    return points[falls], survival[falls]
