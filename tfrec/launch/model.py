"""A forest over the features of launches, with intervals that earlier launches have tested."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

TREES = 300
SMALLEST_LEAF = 3
FEATURE_SHARE = 0.4
BLOCKS = 8
FEWEST_TO_LEARN = 40
SPREAD_FLOOR = 0.25
"""Added to the spread of the trees, on the log scale, before residuals are divided by it."""


@dataclass(frozen=True)
class Forecast:
    """Forecasts of some launches.

    Attributes:
        median: float `[T]`.
        low: float `[T]`, lower end of the interval.
        high: float `[T]`, upper end.
        spread: float `[T]`, how unsure each one is on the log scale, relative to the others.
    """

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray


class LaunchModel:
    """Forecasts a count of a start from the features of a launch.

    Extremely randomised trees (Geurts, Ernst and Wehenkel, 2006) on log1p of the count. For the
    interval, the training launches of each stretch of time are forecast by trees that did not see
    that stretch. The quantiles of these errors, divided by the spread of the trees, are the
    interval of a new launch: cross-conformal prediction (Vovk, 2015) with normalised residuals
    (Lei et al., 2018). Launches that follow each other are not exchangeable, so that the level is
    met as far as the next launches resemble the last.

    Args:
        coverage: share of outcomes that the interval should hold.
        seed: of the trees.
    """

    def __init__(self, coverage: float = 0.8, seed: int = 0) -> None:
        if not 0 < coverage < 1:
            raise ValueError(f"`coverage` should lie in (0, 1). Received: coverage={coverage}")
        self.coverage = coverage
        self.seed = seed

    def fit(self, features: np.ndarray, counts: np.ndarray, days: np.ndarray) -> "LaunchModel":
        """Learns from launches.

        Args:
            features: float `[L, F]`, NaN where nothing is known.
            counts: float `[L]`.
            days: int `[L]`, first days.

        Raises:
            ValueError: if there are fewer than `FEWEST_TO_LEARN` launches.
        """
        if len(counts) < FEWEST_TO_LEARN:
            raise ValueError(
                f"`counts` should hold at least {FEWEST_TO_LEARN} launches. Received: {len(counts)}"
            )
        target = np.log1p(counts)
        self._forest = _forest(self.seed).fit(features, target)
        middle, spread = in_blocks(self._predictor, features, target, days)
        tested = np.isfinite(middle)
        error = (target[tested] - middle[tested]) / spread[tested]
        tail = (1 - self.coverage) / 2
        self.errors = np.quantile(error, [tail, 0.5, 1 - tail]) if len(error) else _plain(target)
        return self

    def predict(self, features: np.ndarray) -> Forecast:
        """Forecasts launches of features float `[T, F]`."""
        middle, spread = _with_spread(self._forest, features)
        low, median, high = (
            np.maximum(np.expm1(middle + error * spread), 0.0) for error in self.errors
        )
        return Forecast(median, low, high, spread)

    def _predictor(
        self, features: np.ndarray, target: np.ndarray, asked: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return _with_spread(_forest(self.seed).fit(features, target), asked)


def in_blocks(
    predictor: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    features: np.ndarray,
    target: np.ndarray,
    days: np.ndarray,
    blocks: int = BLOCKS,
) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts each stretch of time from the launches outside it.

    Args:
        predictor: gives means and spreads from training features, targets and asked features.
        features: float `[L, F]`.
        target: float `[L]`.
        days: int `[L]`, first days.
        blocks: stretches, of about as many launches each.

    Returns:
        Means and spreads float `[L]`, NaN where one stretch holds nearly everything.
    """
    middle, spread = np.full(len(target), np.nan), np.full(len(target), np.nan)
    edges = np.quantile(days, np.linspace(0, 1, blocks + 1))
    edges[-1] = days.max() + 1
    for start, stop in itertools.pairwise(edges):
        asked = (days >= start) & (days < stop)
        if asked.any() and (~asked).sum() >= FEWEST_TO_LEARN // 2:
            middle[asked], spread[asked] = predictor(
                features[~asked], target[~asked], features[asked]
            )
    return middle, spread


def _forest(seed: int) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(
        TREES,
        min_samples_leaf=SMALLEST_LEAF,
        max_features=FEATURE_SHARE,
        random_state=seed,
        n_jobs=1,
    )


def _with_spread(forest: ExtraTreesRegressor, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    trees = np.stack([tree.predict(asked) for tree in forest.estimators_])
    return trees.mean(axis=0), trees.std(axis=0) + SPREAD_FLOOR


def _plain(target: np.ndarray) -> np.ndarray:
    """Returns error quantiles where nothing could be tested: as wide as the launches differ."""
    width = float(target.std()) / SPREAD_FLOOR
    return np.array([-width, 0.0, width])
