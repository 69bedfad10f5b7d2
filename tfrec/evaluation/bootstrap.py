"""Intervals that say how far a figure would move with other shoppers."""

import numpy as np

CONFIDENCE = 0.95

_CELLS_AT_ONCE = 20_000_000


def bootstrap_interval(
    values: np.ndarray, *, samples: int = 1000, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the percentile bootstrap interval of the mean of every column.

    Shoppers are drawn with replacement, the same draws for all columns and for every call
    with as many shoppers and the same seed (Efron and Tibshirani, "An introduction to the
    bootstrap", 1993, chapter 13). The interval of a difference between two models is that of
    the per-shopper differences, so pass those: the pairing removes what the models share.

    Args:
        values: float `[num_shoppers, num_columns]`, no NaN.
        samples: number of resamples.
        seed: seed of the draws.
        confidence: share of the resampled means inside the interval.

    Returns:
        Lower and upper ends, float64 `[num_columns]` each; NaN without shoppers.

    Raises:
        ValueError: if `values` is not a matrix or `samples` is not positive.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(
            "`values` should have shape [num_shoppers, num_columns]. "
            f"Received: shape {values.shape}"
        )
    if samples < 1:
        raise ValueError(f"`samples` should be a positive integer. Received: samples={samples}")
    num_shoppers, num_columns = values.shape
    if num_shoppers == 0:
        empty = np.full(num_columns, np.nan)
        return empty, empty.copy()
    generator = np.random.default_rng(seed)
    means = np.empty((samples, num_columns))
    step = max(1, _CELLS_AT_ONCE // num_shoppers)
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        weights = np.empty((stop - start, num_shoppers))
        for row in weights:
            drawn = generator.integers(0, num_shoppers, num_shoppers)
            row[:] = np.bincount(drawn, minlength=num_shoppers)
        means[start:stop] = weights @ values / num_shoppers
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail], axis=0)
    return low, high
