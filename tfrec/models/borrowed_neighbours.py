"""Links for items that no two shoppers had in common with another."""

import numpy as np

from tfrec.data.item_links import ItemLinks
from tfrec.towers.stand_ins import StandIns


def with_borrowed(links: ItemLinks, stand_ins: StandIns) -> ItemLinks:
    """Returns the links, in which new items have those of their stand-ins.

    A stand-in is linked to itself, as closely as to its own closest one.

    Args:
        links: to what items were had with, or after.
        stand_ins: of the items that borrow.
    """
    neighbours, similarity = links.items.copy(), links.weights.copy()
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
