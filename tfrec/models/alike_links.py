"""What speaks for an item by way of the items that are described like it."""

import numpy as np
from scipy import sparse

from tfrec.data.item_links import ItemLinks

LINKS = 30
"""Links kept of an item in each direction."""
SHRINKAGE = 10.0
"""Sales at which an item's part of a similarity counts for half of its square."""


def alike_links(
    neighbours: ItemLinks, alike: sparse.csr_matrix, sales: np.ndarray
) -> tuple[ItemLinks, ItemLinks]:
    """Returns co-occurrence smoothed over descriptions, in both directions.

    Few items are sold often enough to say by themselves what goes with them; the average over
    those with the nearest texts has seen more (Nadaraya and Watson, 1964, as in `StandIns`).

    Args:
        neighbours: co-occurrence neighbours by cosine.
        alike: from `AlikeItems`.
        sales: float `[num_items + 1]`, of every item; the cosine of two that hardly sold is large
            by chance, so in an average it is shrunk.

    Returns:
        For every item the neighbours of the items that are described like it, and the items that
        are described like its neighbours; `LINKS` each.
    """
    certain = sparse.diags(np.sqrt(sales / (sales + SHRINKAGE)).astype(np.float32))
    together = certain @ neighbours.matrix() @ certain
    return _links(alike @ together), _links(together @ alike.T)


def _links(matrix: sparse.csr_matrix) -> ItemLinks:
    # No item speaks for itself: whether a shopper had it is a feature of its own.
    return ItemLinks.strongest(matrix - sparse.diags(matrix.diagonal()), LINKS)
