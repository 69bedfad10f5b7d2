"""How far two distributions are apart."""

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

SMOOTHING = 0.5
_MOST_VALUES = 20_000


def population_stability_index(reference: np.ndarray, live: np.ndarray) -> float:
    """Returns the population stability index (PSI) of two sets of counts.

    ``sum_i (q_i - p_i) ln(q_i / p_i)`` over the categories, the symmetrised Kullback-Leibler
    divergence (Siddiqi, "Credit Risk Scorecards", 2006). By custom below 0.1 is stable and above
    0.25 a shift. Half an event is added to every category of both, so that an empty one counts
    for little in a small sample and for much in a large one.

    Args:
        reference: counts `[categories]`, at least 0.
        live: counts `[categories]`.

    Returns:
        A value of at least 0; NaN if either is without events.

    Raises:
        ValueError: if the shapes differ.
    """
    p, q = _shares(reference, live)
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon_distance(reference: np.ndarray, live: np.ndarray) -> float:
    """Returns the Jensen-Shannon distance of two sets of counts.

    The square root of the divergence in bits (Endres and Schindelin, "A new metric for
    probability distributions", 2003): 0 for equal distributions, 1 for those that share nothing.
    Smoothed as in `population_stability_index`.

    Args:
        reference: counts `[categories]`, at least 0.
        live: counts `[categories]`.

    Returns:
        A value in [0, 1]; NaN if either is without events.

    Raises:
        ValueError: if the shapes differ.
    """
    p, q = _shares(reference, live)
    return float(jensenshannon(p, q, base=2.0))


def kolmogorov_smirnov(values: np.ndarray, reference: np.ndarray, live: np.ndarray) -> float:
    """Returns the two-sample Kolmogorov-Smirnov statistic of weighted values.

    The largest distance between the two cumulative distributions, in [0, 1]. Where the counts are
    large, they are thinned out evenly.

    Args:
        values: float `[values]`; those that are no number are left out.
        reference: how often the reference has each value, int `[values]`.
        live: how often the live traffic has each, int `[values]`.

    Returns:
        NaN if either is without values.
    """
    known = np.isfinite(values)
    samples = [_expanded(values[known], np.asarray(counts)[known]) for counts in (reference, live)]
    return ks_of_samples(*samples)


def ks_of_samples(reference: np.ndarray, live: np.ndarray) -> float:
    """Returns the Kolmogorov-Smirnov statistic of two samples; NaN if either is empty."""
    if not len(reference) or not len(live):
        return float("nan")
    # `exact` would spend seconds on a p-value that nobody reads.
    return float(ks_2samp(reference, live, method="asymp").statistic)


def centroid_shift(vectors: np.ndarray, reference: np.ndarray, live: np.ndarray) -> float:
    """Returns how far the mean of weighted vectors has moved, in units of their spread.

    ``|c_live - c_ref| / sqrt(mean |v - c_ref|^2)``, the means over the reference: a standardised
    mean difference (Cohen's d) for vectors.

    Args:
        vectors: float `[items, dimension]`.
        reference: how often the reference has each, `[items]`.
        live: how often the live traffic has each, `[items]`.

    Returns:
        A value of at least 0; NaN if either is without events, or all vectors are one.
    """
    if not reference.sum() or not live.sum():
        return float("nan")
    centre = reference @ vectors / reference.sum()
    spread = np.sqrt(reference @ np.square(vectors - centre).sum(axis=1) / reference.sum())
    if not spread:
        return float("nan")
    return float(np.linalg.norm(live @ vectors / live.sum() - centre) / spread)


def _shares(reference: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reference, live = np.asarray(reference, np.float64), np.asarray(live, np.float64)
    if reference.shape != live.shape or reference.ndim != 1:
        raise ValueError(
            "`reference` and `live` should have one shape [categories]. "
            f"Received: {reference.shape} and {live.shape}"
        )
    if not reference.sum() or not live.sum():
        return np.full(1, np.nan), np.full(1, np.nan)
    smooth = [counts + SMOOTHING for counts in (reference, live)]
    return smooth[0] / smooth[0].sum(), smooth[1] / smooth[1].sum()


def _expanded(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    total = int(counts.sum())
    if total <= _MOST_VALUES:
        return np.repeat(values, counts)
    order = np.argsort(values, kind="stable")
    places = (np.arange(_MOST_VALUES) + 0.5) * total / _MOST_VALUES
    return values[order][np.searchsorted(np.cumsum(counts[order]), places)]
