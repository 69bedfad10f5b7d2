"""Quality of predicted probabilities: AUC, grouped AUC, log loss, calibration error."""

import numpy as np


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the area under the ROC curve.

    The probability that a random positive scores above a random negative, a tie counting one
    half (Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982).

    Args:
        labels: bool or 0/1 `[num_examples]`.
        scores: float `[num_examples]`, in any unit.

    Returns:
        A value in [0, 1]; NaN when one of the classes is absent.

    Raises:
        ValueError: if shapes differ, a label is not 0 or 1, or a score is NaN.
    """
    labels, scores = _checked(labels, scores)
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    rank_sum = _mid_ranks(scores)[labels].sum()
    return float((rank_sum - positives * (positives + 1) / 2.0) / (positives * negatives))


def grouped_auc(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> float:
    """Returns the mean AUC within groups, each weighted by its number of examples.

    A group is usually a shopper; ordering within a shopper is what a recommender can change.
    Groups with one class only have no AUC and are left out (Zhu et al., "Optimized cost per
    click in Taobao display advertising", KDD 2017).

    Args:
        labels: bool or 0/1 `[num_examples]`.
        scores: float `[num_examples]`.
        groups: `[num_examples]`, any sortable type.

    Returns:
        A value in [0, 1]; NaN when no group has both classes.

    Raises:
        ValueError: if shapes differ, a label is not 0 or 1, or a score is NaN.
    """
    labels, scores = _checked(labels, scores)
    groups = np.asarray(groups)
    if groups.shape != labels.shape:
        raise ValueError(
            "`groups` should have the shape of `labels`. "
            f"Received: {groups.shape} and {labels.shape}"
        )
    if len(labels) == 0:
        return float("nan")
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    positives = np.bincount(group, weights=labels)
    # Ranks of the examples sorted by group and score, less those of the groups before, are
    # the ranks within the group.
    order = np.lexsort((scores, group))
    dense = np.cumsum(
        np.concatenate(
            [
                [0],
                (np.diff(group[order]) != 0) | (np.diff(scores[order]) != 0),
            ]
        )
    )
    ranks = np.empty(len(labels))
    ranks[order] = _mid_ranks(dense)
    ranks -= (np.cumsum(sizes) - sizes)[group]
    rank_sums = np.bincount(group, weights=ranks * labels)
    negatives = sizes - positives
    usable = (positives > 0) & (negatives > 0)
    if not usable.any():
        return float("nan")
    positives, negatives = positives[usable], negatives[usable]
    areas = (rank_sums[usable] - positives * (positives + 1) / 2.0) / (positives * negatives)
    return float(np.average(areas, weights=sizes[usable]))


def log_loss(labels: np.ndarray, probabilities: np.ndarray, *, epsilon: float = 1e-7) -> float:
    """Returns the mean negative log-likelihood of the labels, in nats.

    Args:
        labels: bool or 0/1 `[num_examples]`.
        probabilities: float `[num_examples]` in [0, 1].
        epsilon: probabilities are kept this far from 0 and 1, so that the loss is finite.

    Returns:
        A value of at least 0; NaN without examples.

    Raises:
        ValueError: if shapes differ, a label is not 0 or 1, or a probability is outside [0, 1].
    """
    labels, probabilities = _checked_probabilities(labels, probabilities)
    if len(labels) == 0:
        return float("nan")
    probabilities = np.clip(probabilities, epsilon, 1.0 - epsilon)
    return float(-np.mean(np.where(labels, np.log(probabilities), np.log1p(-probabilities))))


def expected_calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, *, bins: int = 10
) -> float:
    """Returns the expected calibration error (ECE) over bins of equal width.

    The mean over examples of the distance between the share of positives and the mean
    probability in the example's bin (Naeini, Cooper and Hauskrecht, "Obtaining well calibrated
    probabilities using Bayesian binning", AAAI 2015). Bin ``i`` is ``[i / bins, (i + 1) /
    bins)``; the last one includes 1.

    Args:
        labels: bool or 0/1 `[num_examples]`.
        probabilities: float `[num_examples]` in [0, 1].
        bins: number of bins.

    Returns:
        A value in [0, 1]; NaN without examples.

    Raises:
        ValueError: if shapes differ, a label is not 0 or 1, a probability is outside [0, 1] or
            `bins` is not positive.
    """
    if bins < 1:
        raise ValueError(f"`bins` should be a positive integer. Received: bins={bins}")
    labels, probabilities = _checked_probabilities(labels, probabilities)
    if len(labels) == 0:
        return float("nan")
    bin_of = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(bin_of, weights=labels - probabilities, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def probability_figures(
    task: str, labels: np.ndarray, probabilities: np.ndarray, groups: np.ndarray
) -> dict[str, float]:
    """Returns all the figures of one task, such as ``{"auc_purchase": …}``.

    Made for `Result.with_figures`.

    Args:
        task: what is predicted; it ends the names.
        labels: bool or 0/1 `[num_examples]`.
        probabilities: float `[num_examples]` in [0, 1].
        groups: `[num_examples]`, the shopper of every example.
    """
    return {
        f"auc_{task}": auc(labels, probabilities),
        f"grouped_auc_{task}": grouped_auc(labels, probabilities, groups),
        f"log_loss_{task}": log_loss(labels, probabilities),
        f"calibration_error_{task}": expected_calibration_error(labels, probabilities),
    }


def _mid_ranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks from 1, equal values sharing the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(
            "`labels` and `scores` should have one shape [num_examples]. "
            f"Received: {labels.shape} and {scores.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"`labels` should be 0 or 1. Received: {np.unique(labels)[:5]}")
    if np.isnan(scores).any():
        raise ValueError(f"`scores` holds {np.count_nonzero(np.isnan(scores))} NaN")
    return labels.astype(bool), scores


def _checked_probabilities(
    labels: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = _checked(labels, probabilities)
    if len(probabilities) and (probabilities.min() < 0 or probabilities.max() > 1):
        raise ValueError(
            "`probabilities` should lie in [0, 1]. "
            f"Received: {probabilities.min()} to {probabilities.max()}"
        )
    return labels, probabilities
