"""Neighbours for items that the log links to no other."""

import numpy as np

from tfrec.data.item_links import ItemLinks
from tfrec.towers.stand_ins import StandIns


def with_borrowed(links: ItemLinks, text: np.ndarray) -> ItemLinks:
    """Returns the links, in which an item without any has those of its stand-ins.

    A stand-in is itself a neighbour, as near as its own nearest one. An item whose text says
    nothing keeps none.

    Args:
        links: to what items were had with, or after.
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts, or zeros.
    """
    neighbours, similarity = links.items.copy(), links.weights.copy()
    lonely = (neighbours[1:] == 0).all(axis=1) & text[1:].any(axis=1)
    stand_ins = StandIns.of(text, np.flatnonzero(lonely) + 1)
    for item, nearest, weights in zip(
        stand_ins.items, stand_ins.nearest, stand_ins.weights, strict=True
    ):
        rows = links.weights[nearest]
        items = np.concatenate([nearest, links.items[nearest].ravel()])
        near = np.concatenate([weights * rows.max(axis=1), (weights[:, None] * rows).ravel()])
        found, place = np.unique(items, return_inverse=True)
        total = np.bincount(place, near) * (found > 0)
        best = np.argsort(-total, kind="stable")[: neighbours.shape[1]]
        neighbours[item, : len(best)] = np.where(total[best] > 0, found[best], 0)
        similarity[item, : len(best)] = total[best]
    return ItemLinks(neighbours, similarity)
