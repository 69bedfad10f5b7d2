"""The lists that a model shows, and what they say beyond accuracy.

Lists are int arrays `[num_lists, k]` of item indices, best first, padded with 0.
"""

import numpy as np

_CELLS_AT_ONCE = 4_000_000


def top_lists(scores: np.ndarray, k: int) -> np.ndarray:
    """Returns the `k` best items of every row; among equal scores the lower index comes first.

    Args:
        scores: float `[num_rows, num_items + 1]`, no NaN; column 0 is no item and is ignored.
            Items at minus infinity are never shown.
        k: length of the lists.

    Returns:
        int32 `[num_rows, k]`, padded with 0 where fewer than `k` items are shown.
    """
    scores = scores[:, 1:]
    num_rows, num_items = scores.shape
    kept = min(k, num_items)
    lists = np.zeros((num_rows, k), dtype=np.int32)
    if kept == 0 or num_rows == 0:
        return lists
    # Negated, because selection from the left stays fast where most scores are equal.
    threshold = -np.partition(-scores, kept - 1, axis=1)[:, kept - 1, None]
    chosen = scores >= threshold
    crowded = np.flatnonzero(np.count_nonzero(chosen, axis=1) > kept)
    for row in crowded:
        tied = np.flatnonzero(scores[row] == threshold[row])
        surplus = np.count_nonzero(chosen[row]) - kept
        chosen[row, tied[len(tied) - surplus :]] = False
    items = np.nonzero(chosen)[1].reshape(num_rows, kept)
    values = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    lists[:, :kept] = np.where(
        np.isneginf(np.take_along_axis(values, order, axis=1)),
        0,
        np.take_along_axis(items, order, axis=1) + 1,
    )
    return lists


def exposure(lists: np.ndarray, num_items: int) -> np.ndarray:
    """Returns how often every item is shown: int64 `[num_items]` for items 1 to `num_items`."""
    return np.bincount(lists.ravel(), minlength=num_items + 1)[1:]


def coverage(lists: np.ndarray, num_items: int) -> float:
    """Returns the share of the catalogue that is shown to anybody, in [0, 1].

    "Catalog coverage" of Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy: evaluating
    recommender systems by coverage and serendipity", RecSys 2010.
    """
    return float(np.count_nonzero(exposure(lists, num_items)) / num_items)


def gini(lists: np.ndarray, num_items: int) -> float:
    """Returns the Gini index of the exposure of the items, in [0, 1].

    0: every item of the catalogue is shown equally often; 1: one item takes every place.
    With the shares ``p`` of the items' exposure in ascending order,
    ``sum_j (2 j - n - 1) p_j / (n - 1)`` (Castells, Hurley and Vargas, "Novelty and diversity
    in recommender systems", Recommender Systems Handbook, 2015). NaN without any exposure;
    0 for a catalogue of one item.
    """
    return gini_of_counts(exposure(lists, num_items))


def gini_of_counts(counts: np.ndarray) -> float:
    """Returns the Gini index of how often items are shown, int `[num_items]`; see `gini`."""
    num_items = len(counts)
    counts = np.sort(counts)
    total = counts.sum()
    if total == 0:
        return float("nan")
    if num_items == 1:
        return 0.0
    weights = 2 * np.arange(1, num_items + 1) - num_items - 1
    return float(weights @ counts / (total * (num_items - 1)))


def self_information(train_events: np.ndarray) -> np.ndarray:
    """Returns the self-information of every item in bits: ``-log2`` of its popularity.

    Popularity is the item's share of the events in training, with one event added to every
    item so that an item without events has a finite value:
    ``p_i = (events_i + 1) / (events + num_items)``.

    Args:
        train_events: int `[num_items]`.

    Returns:
        float64 `[num_items]`.
    """
    events = np.asarray(train_events, dtype=np.float64)
    return -np.log2((events + 1.0) / (events.sum() + len(events)))


def novelty(lists: np.ndarray, train_events: np.ndarray) -> np.ndarray:
    """Returns the mean self-information of the items of every list, in bits.

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems",
    PNAS 2010; popularity as in `self_information`.

    Args:
        lists: int `[num_lists, k]`.
        train_events: int `[num_items]`.

    Returns:
        float64 `[num_lists]`; NaN for an empty list.
    """
    information = np.concatenate([[0.0], self_information(train_events)])
    shown = np.count_nonzero(lists, axis=1)
    return _ratio(information[lists].sum(axis=1), shown)


def intra_list_diversity(lists: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Returns the mean cosine distance between the pairs of items of every list.

    Smyth and McClave, "Similarity vs. diversity", ICCBR 2001; Ziegler et al., "Improving
    recommendation lists through topic diversification", WWW 2005.

    Args:
        lists: int `[num_lists, k]`.
        vectors: float `[num_items, dimension]`, of any length; an all-zero vector has
            cosine 0 with every other.

    Returns:
        float64 `[num_lists]` in [0, 2]; NaN for lists of fewer than two items.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    unit = np.concatenate([np.zeros((1, unit.shape[1]), unit.dtype), unit])
    own = np.einsum("nd,nd->n", unit, unit)
    cosines = np.empty(len(lists))
    step = max(1, _CELLS_AT_ONCE // max(1, lists.shape[1] * unit.shape[1]))
    for start in range(0, len(lists), step):
        part = lists[start : start + step]
        # |sum of v|^2 is the sum over all ordered pairs, each item with itself included.
        together = unit[part].sum(axis=1, dtype=np.float64)
        cosines[start : start + step] = np.einsum("ld,ld->l", together, together) - own[part].sum(
            axis=1
        )
    shown = np.count_nonzero(lists, axis=1)
    return 1.0 - _ratio(cosines, shown * (shown - 1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    result = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
