"""Sold items that are pretended to be new, to learn on them what becomes of new ones."""

import numpy as np

DRAWS = 10
"""Each draw pretends that another tenth of the items is new."""
MOST_PRETENDED = 50_000
"""Items that are pretended to be new in all draws together; each needs stand-ins."""


def draws_of_items(sales: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draws when each sold item is pretended to be new.

    Args:
        sales: float or int `[num_items + 1]`, counts.
        random: the source of chance.

    Returns:
        int `[num_items + 1]`: the draw of each item, from 0 to `DRAWS` - 1; -1 for none.
    """
    draw = np.full(len(sales), -1)
    some = random.permutation(np.flatnonzero(sales[1:]) + 1)[:MOST_PRETENDED]
    draw[some] = np.arange(len(some)) % DRAWS
    return draw
