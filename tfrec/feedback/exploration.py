"""How likely a display order that leaves places to chance shows an item at a place."""

from functools import cache

import numpy as np

BELOW = 1_000_000
"""The rank of an item of which is only known that it is below those of its list."""


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


def ranks_of(scores: np.ndarray, places: int) -> np.ndarray:
    """Returns the rank among all candidates of each item of a served list, from 0.

    An item was not put at its place by chance if none that comes later has a higher score. What
    never came to the list has a lower score than any of these, so their ranks, and those of items
    above them, are the ranks on the list; items of lower scores came from somewhere below, mostly
    far below, and have the rank `BELOW`. Of the last item, where it is one of the places left to
    chance, nothing that comes later tells whether chance put it there: a list should have an item
    more than that.

    Args:
        scores: float `[items]`, in display order, by which the list would be ordered without
            chance; of equal ones the first is the better one.
        places: how many places were left to chance; those after them follow by score.

    Returns:
        int64 `[items]`.
    """
    scores = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    chosen = ranks == np.minimum.accumulate(ranks[::-1])[::-1]
    telling = chosen.copy()
    if 1 < len(ranks) <= places:
        telling[-1] = False
    ranks[~chosen & (ranks > ranks[telling].max(initial=-1))] = BELOW
    return ranks


def shown_chances(scores: np.ndarray, depth: int, places: int, share: float) -> np.ndarray:
    """Returns the probability with which each item of a served list came to its place.

    Args:
        scores: float `[items]`, as `ranks_of` takes them.
        depth: how many items competed.
        places: as in `ranks_of`.
        share: probability that a place was left to chance.

    Returns:
        float64 `[items]`.
    """
    depth = max(depth, len(scores))
    places = min(places, depth)
    ranks = np.minimum(ranks_of(scores, places), depth - 1)
    chances = np.ones(len(ranks))
    within = np.arange(min(places, len(ranks)))
    chances[within] = place_chances(depth, places, share)[ranks[within], within]
    return chances
