"""Accuracy of a ranking: where the targets stand, and recall, NDCG and MRR from it.

Everything is vectorised over cases. Targets of all cases lie in one flat array cut by
`offsets`, which starts at 0: the targets of case ``i`` are ``[offsets[i], offsets[i + 1])``.
"""

import numpy as np

NEVER_SHOWN = np.iinfo(np.int64).max
"""The rank of a target that the model never shows (its score is minus infinity)."""

_CELLS_AT_ONCE = 4_000_000


def case_of_target(offsets: np.ndarray) -> np.ndarray:
    """Returns the case of every target: int64 `[num_targets]` for offsets `[num_cases + 1]`."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def target_ranks(scores: np.ndarray, offsets: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns the rank of every target, 1 for the best, with ties counted against the model.

    Among items of equal score those that are not targets come first. A model that gives all
    items one score therefore ranks its targets last, where an optimistic rule would report a
    perfect recall. Targets of one case with equal scores take consecutive ranks.

    Args:
        scores: float `[num_cases, num_columns]`, no NaN; minus infinity is never shown.
        offsets: int64 `[num_cases + 1]`.
        targets: int `[num_targets]`, columns of `scores`, unique within a case.

    Returns:
        int64 `[num_targets]`; `NEVER_SHOWN` where the target's score is minus infinity.
    """
    if len(targets) == 0:
        return np.zeros(0, dtype=np.int64)
    case = case_of_target(offsets)
    target_scores = scores[case, targets]
    at_least = np.empty(len(targets), dtype=np.int64)
    step = max(1, _CELLS_AT_ONCE // scores.shape[1])
    for start in range(0, len(targets), step):
        rows = slice(start, start + step)
        at_least[rows] = np.count_nonzero(scores[case[rows]] >= target_scores[rows, None], axis=1)

    # Within a case, from the best target down: i-th target has i - 1 targets before it, and
    # after every non-target of at least its score.
    order = np.lexsort((-target_scores, case))
    sorted_case, sorted_score = case[order], target_scores[order]
    place = np.arange(len(order)) - offsets[sorted_case]
    last_of_tie = np.ones(len(order), dtype=bool)
    last_of_tie[:-1] = (sorted_case[1:] != sorted_case[:-1]) | (
        sorted_score[1:] != sorted_score[:-1]
    )
    tie_ends = np.flatnonzero(last_of_tie)
    targets_at_least = place[tie_ends[np.searchsorted(tie_ends, np.arange(len(order)))]] + 1
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = at_least[order] - targets_at_least + place + 1
    ranks[np.isneginf(target_scores)] = NEVER_SHOWN
    return ranks


def list_ranks(lists: np.ndarray, offsets: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns the place of every target in the list that is shown to its case, 1 for the first.

    For lists that are not in the order of any score, as after diversification.

    Args:
        lists: int `[num_cases, k]`, items from 1, each once a list, padded with 0.
        offsets: int64 `[num_cases + 1]`.
        targets: int `[num_targets]`, from 1.

    Returns:
        int64 `[num_targets]`; `NEVER_SHOWN` where the target is not in the list.
    """
    shown = lists[case_of_target(offsets)] == targets[:, np.newaxis]
    return np.where(shown.any(axis=1), shown.argmax(axis=1) + 1, NEVER_SHOWN)


def recall(ranks: np.ndarray, offsets: np.ndarray, k: int) -> np.ndarray:
    """Returns recall at `k` of every case: hits in the first `k` over the number of targets.

    Args:
        ranks: int64 `[num_targets]`, from `target_ranks`.
        offsets: int64 `[num_cases + 1]`; every case has at least one target.
        k: length of the list.

    Returns:
        float64 `[num_cases]` in [0, 1].
    """
    return _sum_by_case(ranks <= k, offsets) / np.diff(offsets)


def ndcg(ranks: np.ndarray, offsets: np.ndarray, k: int) -> np.ndarray:
    """Returns the normalised discounted cumulative gain at `k` of every case.

    Gains are binary, the discount is ``1 / log2(rank + 1)``, and the ideal list holds
    ``min(k, number of targets)`` targets at its top (Järvelin and Kekäläinen, "Cumulated
    gain-based evaluation of IR techniques", 2002).

    Args:
        ranks: int64 `[num_targets]`, from `target_ranks`.
        offsets: int64 `[num_cases + 1]`; every case has at least one target.
        k: length of the list.

    Returns:
        float64 `[num_cases]` in [0, 1].
    """
    gains = np.where(ranks <= k, 1.0 / np.log2(np.minimum(ranks, k) + 1.0), 0.0)
    sizes = np.diff(offsets)
    longest = int(sizes.max(initial=1))
    ideal = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(min(k, longest)) + 2.0))])
    return _sum_by_case(gains, offsets) / ideal[np.minimum(sizes, k)]


def mrr(ranks: np.ndarray, offsets: np.ndarray, k: int) -> np.ndarray:
    """Returns the reciprocal rank of the first hit within `k` of every case, 0 without a hit.

    Args:
        ranks: int64 `[num_targets]`, from `target_ranks`.
        offsets: int64 `[num_cases + 1]`; every case has at least one target.
        k: length of the list.

    Returns:
        float64 `[num_cases]` in [0, 1]. Its mean is the MRR of Voorhees ("The TREC-8 question
        answering track report", 1999), cut at `k`.
    """
    if len(offsets) == 1:
        return np.zeros(0)
    best = np.minimum.reduceat(ranks, offsets[:-1])
    return np.where(best <= k, 1.0 / np.minimum(best, k), 0.0)


def _sum_by_case(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    return np.bincount(case_of_target(offsets), weights=values, minlength=len(offsets) - 1)
