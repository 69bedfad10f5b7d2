"""What speaks for an item by way of the items that are described like it."""

import numpy as np
from scipy import sparse

from tfrec.data.item_links import ItemLinks
from tfrec.towers.stand_ins import nearest_described

ALIKE = 10
"""Items with the nearest descriptions that are averaged over."""


def alike_links(neighbours: ItemLinks, text: np.ndarray) -> tuple[ItemLinks, ItemLinks]:
    """Returns co-occurrence smoothed over descriptions, in both directions.

    Few items are sold often enough to say by themselves what goes with them; the average over
    those with the nearest texts has seen more (Nadaraya and Watson, 1964, as in `StandIns`).

    Args:
        neighbours: co-occurrence neighbours.
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts, or zeros
            where a text says nothing: such items are like none.

    Returns:
        For every item the neighbours of the items that are described like it, and the items that
        are described like its neighbours; as many as `neighbours` has.
    """
    size, count = neighbours.items.shape
    described = np.flatnonzero(text.any(axis=1))
    nearest, weights = nearest_described(text, described, described, ALIKE)
    places = (np.repeat(described, nearest.shape[1]), nearest.ravel())
    alike = sparse.csr_matrix((weights.ravel(), places), shape=(size, size))
    together = neighbours.matrix()
    return (
        ItemLinks.strongest(alike @ together, count),
        ItemLinks.strongest(together @ alike.T, count),
    )
