"""Which new products to show: Thompson sampling with the forecast as what is believed at first."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import gamma

from tfrec.launch.model import Forecast

NORMAL_80 = 1.2816
"""Standard deviations from the middle of a normal distribution to the end of 80 % of it."""

LEAST_SHAPE = 0.2


@dataclass(frozen=True)
class Beliefs:
    """What is believed of the buyers that an impression of each product brings.

    The rate of product `i` has a Gamma distribution, which is conjugate to counts: after `n`
    impressions with `y` buyers, its shape has grown by `y` and its exposure by `n`.

    Attributes:
        shape: float `[T]`, buyers seen or as good as seen.
        exposure: float `[T]`, impressions seen or as good as seen.
    """

    shape: np.ndarray
    exposure: np.ndarray

    @classmethod
    def from_forecast(cls, forecast: Forecast, impressions: float) -> "Beliefs":
        """Turns the forecast of a start into beliefs.

        The mean is that of a log-normal distribution with the forecast's median, and the shape is
        that of a Gamma distribution that varies as much: ``1 / (exp(s ** 2) - 1)`` for a standard
        deviation of `s` on the log scale, read off the 80 % interval.

        Args:
            forecast: of customers, with 80 % intervals.
            impressions: how many a product has in the time of the forecast.

        Raises:
            ValueError: if `impressions` is not positive.
        """
        if impressions <= 0:
            raise ValueError(
                f"`impressions` should be positive. Received: impressions={impressions}"
            )
        wide = np.log(np.maximum(forecast.high, 0.5) / np.maximum(forecast.low, 0.5))
        variance = np.square(np.maximum(wide, 0.1) / (2 * NORMAL_80))
        mean = np.maximum(forecast.median, 0.5) * np.exp(variance / 2) / impressions
        shape = np.maximum(1 / np.expm1(variance), LEAST_SHAPE)
        return cls(shape, shape / mean)

    @classmethod
    def flat(cls, count: int, rate: float) -> "Beliefs":
        """Returns beliefs that know no product from another: one buyer's worth of `rate`."""
        return cls(np.ones(count), np.full(count, 1 / rate))

    @property
    def mean(self) -> np.ndarray:
        """Buyers an impression, float `[T]`."""
        return self.shape / self.exposure

    def interval(self, coverage: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ends, float `[T]` each, of what the rates may be."""
        tail = (1 - coverage) / 2
        low, high = (gamma.ppf(at, self.shape, scale=1 / self.exposure) for at in (tail, 1 - tail))
        return low, high

    def after(self, impressions: np.ndarray, buyers: np.ndarray) -> "Beliefs":
        """Returns what is believed after further impressions and buyers, `[T]` each."""
        return Beliefs(self.shape + buyers, self.exposure + impressions)

    def draw(self, generator: np.random.Generator, count: int) -> np.ndarray:
        """Draws rates that may be true, float `[count, T]`."""
        return generator.gamma(self.shape, 1 / self.exposure, (count, len(self.shape)))


def thompson(
    beliefs: Beliefs, quota: int, generator: np.random.Generator, draws: int = 200
) -> np.ndarray:
    """Allots impressions to products, each as often as it may be the best one.

    Thompson sampling (1933) for many impressions at once: rates are drawn `draws` times, and the
    best product of each draw is given a share of the quota.

    Args:
        beliefs: as they stand.
        quota: impressions to allot.
        generator: of the draws.
        draws: how fine the shares are.

    Returns:
        int64 `[T]`, adding up to `quota`.
    """
    best = np.argmax(beliefs.draw(generator, draws), axis=1)
    wins = np.bincount(best, minlength=len(beliefs.shape)).astype(float)
    return shared_out(wins, quota)


def shared_out(weights: np.ndarray, quota: int) -> np.ndarray:
    """Shares whole impressions out by weight, the largest remainders first.

    Args:
        weights: float `[T]`, not negative, not all 0.
        quota: how many.

    Returns:
        int64 `[T]`, adding up to `quota`.
    """
    exact = weights / weights.sum() * quota
    counts = np.floor(exact).astype(np.int64)
    left = quota - int(counts.sum())
    counts[np.argsort(-(exact - counts), kind="stable")[:left]] += 1
    return counts
