"""Pairs of items that the same shopper bought shortly after one another, from training alone."""

from dataclasses import dataclass

import numpy as np

from tfrec.data.records import Histories

MOST_HELD_OUT = 5000


@dataclass(frozen=True)
class ItemPairs:
    """Pairs to train on, and pairs of other shoppers to stop by.

    Attributes:
        train: int32 `[num_pairs, 2]`, item indices from 1; a pair stands there as often as it was
            seen.
        held_out: int32 `[num_held_out, 2]`.
    """

    train: np.ndarray
    held_out: np.ndarray

    @classmethod
    def of(
        cls, histories: Histories, events: list[int], *, window: int, holdout: float, seed: int
    ) -> "ItemPairs":
        """Draws the pairs.

        Args:
            histories: the shoppers of the training split.
            events: indices of the event types that count.
            window: most events between the two, the second one counted.
            holdout: share of the shoppers whose pairs are held out.
            seed: which shoppers.
        """
        pairs, owner = consecutive_pairs(histories, events, window)
        random = np.random.default_rng(seed)
        chosen = random.permutation(len(histories))[: max(1, round(holdout * len(histories)))]
        apart = np.isin(owner, chosen)
        held_out = pairs[apart]
        if len(held_out) > MOST_HELD_OUT:
            held_out = held_out[np.sort(random.permutation(len(held_out))[:MOST_HELD_OUT])]
        return cls(pairs[~apart], held_out)


def consecutive_pairs(
    histories: Histories, events: list[int], window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns all pairs of different items at most `window` events apart, and their shoppers.

    Lines of one order stand one after the other in a log, so that what is bought together makes
    pairs as well.

    Args:
        histories: the shoppers.
        events: indices of the event types that count; the others are left out before counting.
        window: most events between the two, the second one counted.

    Returns:
        int32 `[num_pairs, 2]` in the order of time, and int64 `[num_pairs]`.
    """
    owner = histories.owner
    counts = np.isin(histories.event, events)
    owner, item = owner[counts], histories.item[counts]
    pairs, owners = [np.zeros((0, 2), np.int32)], [np.zeros(0, np.int64)]
    for distance in range(1, window + 1):
        left, right = item[:-distance], item[distance:]
        kept = (owner[:-distance] == owner[distance:]) & (left != right)
        pairs.append(np.stack([left[kept], right[kept]], axis=1).astype(np.int32))
        owners.append(owner[:-distance][kept])
    return np.concatenate(pairs), np.concatenate(owners)
