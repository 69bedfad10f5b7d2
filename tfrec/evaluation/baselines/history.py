"""Shoppers' histories as a sparse matrix."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from tfrec.data.records import Histories


def history_matrix(
    histories: "Histories",
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
    row = np.repeat(np.arange(len(histories)), histories.lengths)
    if events is not None:
        kept = np.isin(histories.event, events)
        row, item = row[kept], item[kept]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(histories)))])
    steps_back = offsets[row + 1] - 1 - np.arange(len(row))
    weight = np.power(decay, steps_back).astype(np.float32)
    return sparse.csr_matrix((weight, (row, item)), shape=(len(histories), width))
