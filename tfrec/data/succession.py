"""Counts which items shoppers choose soon after which others."""

import numpy as np
from scipy import sparse

from tfrec.data.item_links import ItemLinks
from tfrec.data.records import Histories

WINDOW = 5
"""How many events later an item still counts as following."""


def predecessors(histories: Histories, width: int, events: list[int], count: int) -> ItemLinks:
    """Returns for every item those that shoppers chose shortly before it.

    An item that came ``k`` events later, `WINDOW` at most, counts ``1 / k``. An item does not
    follow itself.

    Args:
        histories: the shoppers' events, oldest first.
        width: number of items plus one.
        events: 1-based indices of the event types that count.
        count: predecessors kept for every item.
    """
    kept = np.isin(histories.event, events)
    owner, item = histories.owner[kept], histories.item[kept]
    total = sparse.csr_matrix((width, width), dtype=np.float32)
    for steps in range(1, WINDOW + 1):
        earlier, later = item[:-steps], item[steps:]
        follows = (owner[:-steps] == owner[steps:]) & (earlier != later)
        weight = np.full(np.count_nonzero(follows), 1.0 / steps, np.float32)
        places = (later[follows], earlier[follows])
        total += sparse.csr_matrix((weight, places), shape=(width, width))
    return ItemLinks.strongest(total, count)
