"""Calibration curves: what was predicted beside what happened."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from tfrec.evaluation.bootstrap import CONFIDENCE


@dataclass(frozen=True)
class CalibrationCurve:
    """Examples in bins of rising probability, about as many in each.

    Attributes:
        predicted: float64 `[bins]`, mean predicted probability.
        observed: float64 `[bins]`, share of positives.
        low: float64 `[bins]`, lower end of the 95 % Wilson interval of `observed`.
        high: float64 `[bins]`, its upper end.
        count: int64 `[bins]`, examples.
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray


def calibration_curve(
    labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 10
) -> CalibrationCurve:
    """Returns the calibration curve over bins of equal mass.

    Purchases are rare: of bins of equal width the first would hold nearly all examples. The
    intervals are Wilson's ("Probable inference, the law of succession, and statistical
    inference", 1927). Equal probabilities stay in one bin, so there may be fewer.

    Args:
        labels: bool or 0/1 `[num_examples]`.
        probabilities: float `[num_examples]` in [0, 1].
        bins: number of bins at most.

    Raises:
        ValueError: if the shapes differ or `bins` is not positive.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    if labels.shape != probabilities.shape or labels.ndim != 1:
        raise ValueError(
            "`labels` and `probabilities` should have one shape [num_examples]. "
            f"Received: {labels.shape} and {probabilities.shape}"
        )
    if bins < 1:
        raise ValueError(f"`bins` should be a positive integer. Received: bins={bins}")
    if len(labels) == 0:
        empty = np.zeros(0)
        return CalibrationCurve(empty, empty, empty, empty, empty.astype(np.int64))
    edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, probabilities, side="right")
    _, bin_of, count = np.unique(bin_of, return_inverse=True, return_counts=True)
    observed = np.bincount(bin_of, weights=labels) / count
    low, high = _wilson(observed, count)
    predicted = np.bincount(bin_of, weights=probabilities) / count
    return CalibrationCurve(predicted, observed, low, high, count)


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = float(norm.ppf(0.5 + CONFIDENCE / 2))
    scale = 1.0 + z**2 / count
    centre = (share + z**2 / (2 * count)) / scale
    half = z / scale * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
