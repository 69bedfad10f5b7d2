"""The statistics of an A/B test, with the shopper as the unit.

Every metric becomes one number a shopper whose mean is the metric, so that one way of adjusting and
one way of measuring uncertainty serve them all.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chisquare, norm

CONFIDENCE = 0.95
POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """How much B differs from A.

    Attributes:
        a: the metric in A.
        b: the metric in B.
        relative: `b / a - 1`; like its interval NaN where `a` is 0.
        low: lower end of the 95 % interval of `relative`.
        high: upper end.
        p_value: two-sided, of no difference `b - a`.
        detectable: the relative change that a test like this one finds four times out of five.
        variance_left: share of the variance that the covariates left; 1 without them.
    """

    a: float
    b: float
    relative: float
    low: float
    high: float
    p_value: float
    detectable: float
    variance_left: float


def sample_ratio_p_value(a: int, b: int, share_of_b: float = 0.5) -> float:
    """Returns the p-value of Pearson's chi-square test of the split between A and B.

    A small one means that shoppers got lost on one side, so that the two groups are not alike
    (Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019).

    Args:
        a: shoppers in A.
        b: shoppers in B.
        share_of_b: the share of shoppers that was meant for B.

    Returns:
        NaN without shoppers.
    """
    total = a + b
    if not total:
        return math.nan
    return float(chisquare([a, b], [total * (1 - share_of_b), total * share_of_b]).pvalue)


def linearised_ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Returns one value a shopper whose mean is `sum(numerator) / sum(denominator)`.

    The variance of that mean is the one of the ratio by the delta method (Deng, Knoblich and Lu,
    "Applying the delta method in metric analytics", KDD 2018), which counts a shopper with a
    thousand impressions as one shopper.

    Args:
        numerator: float `[shoppers]`, such as clicks.
        denominator: float `[shoppers]`, such as impressions.

    Returns:
        float64 `[shoppers]`; NaN where the denominators add up to 0.
    """
    total = denominator.sum()
    if not total:
        return np.full(len(numerator), np.nan)
    ratio = numerator.sum() / total
    return ratio + (numerator - ratio * denominator) / denominator.mean()


def compare(
    a: np.ndarray,
    b: np.ndarray,
    covariates_a: np.ndarray | None = None,
    covariates_b: np.ndarray | None = None,
) -> Difference:
    """Compares the means of two groups of shoppers.

    Covariates known from before the test take away what shoppers differ in anyway (CUPED: Deng, Xu,
    Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data", WSDM 2013), with the coefficients of a regression within the groups. The
    interval of the relative difference is that of the delta method.

    Args:
        a: float `[shoppers in A]`.
        b: float `[shoppers in B]`.
        covariates_a: float `[shoppers in A, covariates]`.
        covariates_b: float `[shoppers in B, covariates]`.

    Returns:
        A difference of NaN where a group has fewer than two shoppers.
    """
    if min(len(a), len(b)) < 2:
        mean_a, mean_b = (float(values.mean()) if len(values) else math.nan for values in (a, b))
        return _unknown(mean_a, mean_b, math.nan, 1.0)
    variance_left = 1.0
    if covariates_a is not None and covariates_b is not None:
        before = a.var() + b.var()
        a, b = _adjusted(a, b, covariates_a, covariates_b)
        variance_left = float((a.var() + b.var()) / before) if before else 1.0
    mean_a, mean_b = float(a.mean()), float(b.mean())
    variance_a, variance_b = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    spread = math.sqrt(variance_a + variance_b)
    p_value = float(2 * norm.sf(abs(mean_b - mean_a) / spread)) if spread else math.nan
    if not mean_a > 0:
        return _unknown(mean_a, mean_b, p_value, variance_left)
    relative = mean_b / mean_a - 1
    error = math.sqrt(variance_b / mean_a**2 + mean_b**2 * variance_a / mean_a**4)
    half = float(norm.ppf(0.5 + CONFIDENCE / 2)) * error
    return Difference(
        a=mean_a,
        b=mean_b,
        relative=relative,
        low=relative - half,
        high=relative + half,
        p_value=p_value,
        detectable=half + float(norm.ppf(POWER)) * error,
        variance_left=variance_left,
    )


def _adjusted(
    a: np.ndarray, b: np.ndarray, covariates_a: np.ndarray, covariates_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    centre = np.concatenate([covariates_a, covariates_b]).mean(axis=0)
    within = np.concatenate(
        [covariates_a - covariates_a.mean(axis=0), covariates_b - covariates_b.mean(axis=0)]
    )
    outcome = np.concatenate([a - a.mean(), b - b.mean()])
    # The least-norm solution: a covariate that is the same for all gets no weight.
    weights, *_ = np.linalg.lstsq(within, outcome)
    return a - (covariates_a - centre) @ weights, b - (covariates_b - centre) @ weights


def _unknown(a: float, b: float, p_value: float, variance_left: float) -> Difference:
    return Difference(a, b, math.nan, math.nan, math.nan, p_value, math.nan, variance_left)
