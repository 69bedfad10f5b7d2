"""Co-occurrence neighbours for items that no two shoppers had in common with another."""

import numpy as np

from tfrec.data.log_statistics import LogStatistics
from tfrec.towers.stand_ins import StandIns


def with_borrowed(statistics: LogStatistics, text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the neighbour table, in which an item without neighbours has those of its stand-ins.

    A stand-in is itself a neighbour, as near as its own nearest one. An item whose text says
    nothing keeps none.

    Args:
        statistics: neighbours and similarities of the log.
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts, or zeros.

    Returns:
        int32 and float32 `[num_items + 1, count]`, as `LogStatistics` has them.
    """
    neighbours, similarity = statistics.neighbours.copy(), statistics.similarity.copy()
    lonely = (neighbours[1:] == 0).all(axis=1) & text[1:].any(axis=1)
    stand_ins = StandIns.of(text, np.flatnonzero(lonely) + 1)
    for item, nearest, weights in zip(
        stand_ins.items, stand_ins.nearest, stand_ins.weights, strict=True
    ):
        rows = statistics.similarity[nearest]
        items = np.concatenate([nearest, statistics.neighbours[nearest].ravel()])
        near = np.concatenate([weights * rows.max(axis=1), (weights[:, None] * rows).ravel()])
        found, place = np.unique(items, return_inverse=True)
        total = np.bincount(place, near) * (found > 0)
        best = np.argsort(-total, kind="stable")[: neighbours.shape[1]]
        neighbours[item, : len(best)] = np.where(total[best] > 0, found[best], 0)
        similarity[item, : len(best)] = total[best]
    return neighbours, similarity
