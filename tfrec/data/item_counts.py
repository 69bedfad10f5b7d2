"""Counts how often each item was chosen, and how often of late."""

from collections.abc import Sequence

import numpy as np

from tfrec.data.records import Histories

SECONDS_PER_DAY = 86_400


def item_counts(
    histories: Histories, width: int, events: list[int], *, days: int | None = None
) -> np.ndarray:
    """Returns the events of each item.

    Args:
        histories: the log.
        width: number of items plus one.
        events: 1-based indices of the event types that count.
        days: only those of so many days before the log's last event; None for all. Of a log
            without timestamps all events are of its last day.

    Returns:
        float64 `[width]`, by item index.
    """
    counted = np.isin(histories.event, events)
    if days is not None:
        end = int(histories.timestamp.max(initial=0))
        counted &= histories.timestamp > end - days * SECONDS_PER_DAY
    return np.bincount(histories.item[counted], minlength=width).astype(np.float64)


def log_counts(
    histories: Histories, width: int, events: list[int], windows: Sequence[int | None]
) -> np.ndarray:
    """Returns ``log(1 + count)`` over several windows.

    Args:
        histories: the log.
        width: number of items plus one.
        events: 1-based indices of the event types that count.
        windows: lengths in days, None for the whole log.

    Returns:
        float32 `[width, len(windows)]`.
    """
    counts = [item_counts(histories, width, events, days=days) for days in windows]
    return np.log1p(np.stack(counts, axis=1)).astype(np.float32)
