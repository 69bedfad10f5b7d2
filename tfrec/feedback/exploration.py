"""How likely a display order that leaves places to chance shows an item at a place."""

from functools import cache

import numpy as np


@cache
def place_chances(depth: int, places: int, share: float) -> np.ndarray:
    """Returns the probability that the item of each rank is shown at each place.

    At every place chance decides with probability `share`, and all that is left has the same
    chance; else the best of what is left is shown. That is `tfrec.rerank.exploration` without
    further rules. With b better items among the n left, an item is chosen with probability
    `share / n`, and besides with `1 - share` if b is 0; else b falls by one with probability
    `1 - share + share * b / n`. So the chances follow exactly, place by place from the last.

    Args:
        depth: how many items compete.
        places: how many places they compete for, `depth` at most.
        share: probability that a place is left to chance.

    Returns:
        float64 `[depth, places]`; the columns add up to 1.
    """
    # later[b, q]: an item with b better ones left is shown q places from here on.
    later = np.zeros((depth, 0))
    better = np.arange(depth, dtype=np.float64)
    for place in reversed(range(places)):
        left = depth - place
        here = share / left + (1.0 - share) * (better == 0)
        overtaken = np.where(better == 0, 0.0, 1.0 - share + share * better / left)
        stays = 1.0 - here - overtaken
        fewer = np.vstack([later[:1], later[:-1]])
        after = overtaken[:, np.newaxis] * fewer + stays[:, np.newaxis] * later
        # More better ones than there are others cannot be left.
        later = np.where(better[:, np.newaxis] < left, np.hstack([here[:, np.newaxis], after]), 0.0)
    later.flags.writeable = False
    return later


def ranks_of(scores: np.ndarray) -> np.ndarray:
    """Returns the rank of each item by score, from 0; of equal ones the first shown is first.

    Args:
        scores: float `[items]`, in display order.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def shown_chances(scores: np.ndarray, depth: int, places: int, share: float) -> np.ndarray:
    """Returns the probability with which each item of a served list came to its place.

    What chance put on a list pushes an item off it that is not in the log, so the rank of an item
    among those of the list is its rank among all candidates, or less by the number of items that
    were pushed off; both make the same difference only at the last places.

    Args:
        scores: float `[items]`, of the list in display order, by which it would be ordered
            without chance.
        depth: how many items competed.
        places: how many places they competed for; those after them follow by score.
        share: probability that a place was left to chance.

    Returns:
        float64 `[items]`.
    """
    ranks = ranks_of(scores)
    depth = max(depth, len(ranks))
    places = min(places, depth)
    chances = np.ones(len(ranks))
    within = np.arange(min(places, len(ranks)))
    chances[within] = place_chances(depth, places, share)[ranks[within], within]
    return chances
