"""Shoppers of a split as if each of them had come to the shop within it."""

from collections.abc import Sequence

import numpy as np

from tfrec.data.records import Histories

MOST_EVENTS = 5
"""Longest history of an arrival; with more events a shopper is hardly new any more."""


def arrivals(
    histories: Histories, lengths: np.ndarray, target_events: Sequence[int]
) -> tuple[Histories, np.ndarray]:
    """Returns shoppers whose history begins within the period of their targets.

    What they did before is forgotten. Their first events of the period are their history, what
    came after these their targets. Such shoppers are like those who came a moment ago, of whom a
    log has few: most of what is known at any moment is of shoppers with a past.

    Args:
        histories: shoppers with targets.
        lengths: int `[shoppers]`, how many events of a target type each history has; events of
            other types between them are part of it.
        target_events: positions of the target types in the event types, from 1.

    Returns:
        The shoppers who chose something more after these events, and where they are among
        `histories`, int64. Values are 1, and the context is that of the last event before the
        period, as what a split asks for carries neither.
    """
    order = np.lexsort((histories.target_timestamp, histories.target_owner))
    owner = histories.target_owner[order]
    wanted = np.isin(histories.target_event[order], target_events)
    before: np.ndarray = np.cumsum(wanted) - wanted
    before -= before[histories.target_offsets[:-1][owner]]
    known = before < lengths[owner]
    more = np.bincount(owner[wanted & ~known], minlength=len(histories)) > 0
    rows = np.flatnonzero(more)

    def offsets(kept: np.ndarray) -> np.ndarray:
        sizes = np.bincount(owner[kept], minlength=len(histories))[rows]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    first, rest = known & more[owner], ~known & more[owner]
    past, later = order[first], order[rest]
    arrived = Histories(
        user=histories.user[rows],
        offsets=offsets(first),
        item=histories.target_item[past],
        event=histories.target_event[past],
        timestamp=histories.target_timestamp[past],
        value=np.ones(len(past), np.float32),
        context=_context(histories, owner[first]),
        target_offsets=offsets(rest),
        target_item=histories.target_item[later],
        target_event=histories.target_event[later],
        target_timestamp=histories.target_timestamp[later],
    )
    return arrived, rows


def _context(histories: Histories, owner: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the context of the last event of each owner's history; 0 where there is none."""
    last, known = histories.offsets[1:][owner] - 1, histories.lengths[owner] > 0
    return {
        name: np.where(known, np.append(values, 0)[last], 0).astype(values.dtype)
        for name, values in histories.context.items()
    }
