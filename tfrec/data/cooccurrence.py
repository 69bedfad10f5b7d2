"""Counts which items the same shoppers chose, and finds every item's neighbours by it.

The ItemKNN baseline, the memory of the retrieval model and the features of the ranking model all
read these counts.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tfrec.data.item_links import ItemLinks, largest
from tfrec.data.records import Histories

BLOCK = 1024
"""Items whose common shoppers are held at once where only their neighbours are kept."""


@dataclass(frozen=True)
class ItemKNNSettings:
    """What can be tuned of a neighbourhood model.

    Attributes:
        neighbours: most similar items kept for every item, itself not counted; None keeps all.
        shrinkage: added to the denominator of the cosine, in shoppers.
        length_exponent: a shopper of ``n`` items weighs ``n ** -length_exponent`` in the
            similarities, so that a wholesaler who buys everything links less.
        decay: an event of the history weighs `decay` times the event after it.
        self_weight: factor on an item's similarity to itself. It matters only where
            re-purchases count.
    """

    neighbours: int | None = None
    shrinkage: float = 50.0
    length_exponent: float = 0.5
    decay: float = 1.0
    self_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.neighbours is not None and self.neighbours < 0:
            raise ValueError(
                f"`neighbours` should not be negative. Received: neighbours={self.neighbours}"
            )
        if self.shrinkage < 0:
            raise ValueError(
                f"`shrinkage` should not be negative. Received: shrinkage={self.shrinkage}"
            )
        if not 0 < self.decay <= 1:
            raise ValueError(f"`decay` should lie in (0, 1]. Received: decay={self.decay}")


def history_matrix(
    histories: Histories,
    width: int,
    *,
    decay: float = 1.0,
    events: list[int] | None = None,
) -> sparse.csr_matrix:
    """Returns the weights of the items in every history.

    Args:
        histories: the shoppers' pasts.
        width: number of items plus one.
        decay: an event weighs `decay` times the event after it; the last one weighs 1.
        events: 1-based indices of the event types that count; None for all.

    Returns:
        float32 `[len(histories), width]`; an item's weight is the sum over its events.
    """
    offsets, item = histories.offsets, histories.item
    row = histories.owner
    if events is not None:
        kept = np.isin(histories.event, events)
        row, item = row[kept], item[kept]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(histories)))])
    steps_back = offsets[row + 1] - 1 - np.arange(len(row))
    weight = np.power(decay, steps_back).astype(np.float32)
    return sparse.csr_matrix((weight, (row, item)), shape=(len(histories), width))


def common_shoppers(
    chosen: sparse.csr_matrix, *, length_exponent: float = 0.0
) -> sparse.csr_matrix:
    """Returns how many shoppers every pair of items has in common.

    Args:
        chosen: sparse `[num_shoppers, num_columns]`; any non-zero counts as one.
        length_exponent: a shopper of ``n`` items weighs ``n ** -length_exponent``; weights are
            scaled so that the events keep a mean weight of 1.

    Returns:
        float32 sparse `[num_columns, num_columns]`, symmetric, sorted; the diagonal holds the
        (weighted) shoppers of each item.
    """
    binary = _binary(chosen)
    if length_exponent and binary.nnz:
        lengths = np.diff(binary.indptr)
        weights = np.repeat(np.maximum(lengths, 1.0) ** -length_exponent, lengths)
        binary.data = np.sqrt(weights / weights.mean()).astype(np.float32)
    common = sparse.csr_matrix(binary.T @ binary)
    common.sort_indices()
    return common


def nearest(
    common: sparse.csr_matrix, *, neighbours: int | None, shrinkage: float
) -> sparse.csr_matrix:
    """Returns the shrunk cosine between items, cut to the nearest ones of every item.

    Args:
        common: from `common_shoppers`.
        neighbours: kept for every item besides itself, ties going to the lower index; None
            keeps all.
        shrinkage: added to the denominator.

    Returns:
        float32 sparse, of the shape of `common`; row ``i`` holds the neighbours of item ``i``
        and its own shrunk similarity.
    """
    norms = np.sqrt(common.diagonal())
    similarity = _cosines(common, norms, norms, shrinkage)
    if neighbours is None:
        return similarity
    rows = np.repeat(np.arange(common.shape[0]), np.diff(common.indptr))
    kept = similarity.indices == rows
    for item in range(common.shape[0]):
        # An item takes no neighbour's place in its own row.
        kept[_neighbour_places(similarity, item, neighbours)] = True
    sizes = np.bincount(rows[kept], minlength=common.shape[0])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_matrix(
        (similarity.data[kept], similarity.indices[kept], offsets), shape=common.shape
    )


def item_similarity(common: sparse.csr_matrix, settings: ItemKNNSettings) -> sparse.csr_matrix:
    """Returns the similarities of a neighbourhood model.

    Args:
        common: from `common_shoppers` with the settings' length exponent.
        settings: neighbours, shrinkage and the weight of an item's similarity to itself.

    Returns:
        float32 sparse, of the shape of `common`; see `nearest`.
    """
    similarity = nearest(common, neighbours=settings.neighbours, shrinkage=settings.shrinkage)
    if settings.self_weight != 1.0:
        similarity.setdiag(similarity.diagonal() * np.float32(settings.self_weight))
    return similarity


def similarity_in_log(
    log: Histories, width: int, settings: ItemKNNSettings, events: list[int] | None = None
) -> sparse.csr_matrix:
    """Returns the similarities of a neighbourhood model of a log.

    Args:
        log: the shoppers' events.
        width: number of items plus one.
        settings: of the model.
        events: 1-based indices of the event types that count; None for all.

    Returns:
        float32 sparse `[width, width]`; see `nearest`.
    """
    chosen = history_matrix(log, width, events=events)
    common = common_shoppers(chosen, length_exponent=settings.length_exponent)
    return item_similarity(common, settings)


def neighbour_table(chosen: sparse.csr_matrix, count: int) -> ItemLinks:
    """Returns the nearest items of every item by plain cosine, in the memory of a table.

    Args:
        chosen: sparse `[num_shoppers, num_columns]`; any non-zero counts as one.
        count: neighbours kept for every item, itself not among them, ties going to the lower
            index.

    Returns:
        The nearest items with their cosines as weights.
    """
    binary = _binary(chosen).tocsc()
    norms = np.sqrt(np.asarray(binary.sum(axis=0)).ravel())
    blocks = []
    for start in range(0, binary.shape[1], BLOCK):
        stop = min(start + BLOCK, binary.shape[1])
        common = sparse.csr_matrix(binary[:, start:stop].T @ binary)
        similarity = _cosines(common, norms[start:stop], norms, 0.0)
        rows = np.repeat(np.arange(start, stop), np.diff(similarity.indptr))
        similarity.data[similarity.indices == rows] = 0.0
        blocks.append(ItemLinks.strongest(similarity, count))
    return ItemLinks(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _binary(chosen: sparse.csr_matrix) -> sparse.csr_matrix:
    binary = sparse.csr_matrix(chosen, dtype=np.float32, copy=True)
    binary.sum_duplicates()
    binary.data[:] = 1.0
    return binary


def _cosines(
    common: sparse.csr_matrix, row_norms: np.ndarray, column_norms: np.ndarray, shrinkage: float
) -> sparse.csr_matrix:
    cosines = common.copy()
    products = np.repeat(row_norms, np.diff(common.indptr)) * column_norms[common.indices]
    cosines.data = common.data / (products + np.float32(shrinkage))
    return cosines


def _neighbour_places(similarity: sparse.csr_matrix, item: int, count: int) -> np.ndarray:
    """Returns where in `similarity.data` the nearest items of `item` are."""
    start, stop = similarity.indptr[item], similarity.indptr[item + 1]
    others = start + np.flatnonzero(similarity.indices[start:stop] != item)
    return others[largest(similarity.data[others], count)]
