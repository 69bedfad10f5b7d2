"""Small logs as arrays."""

import numpy as np

from tfrec.data.records import Histories


def histories_of(events: list[tuple[int, int, int, int]], *, targets: bool = False) -> Histories:
    """Makes histories of rows (shopper, item, event, time), or the shoppers' targets."""
    table = np.array(events, np.int64).reshape(-1, 4)
    users = int(table[:, 0].max(initial=-1)) + 1
    offsets = np.concatenate([[0], np.cumsum(np.bincount(table[:, 0], minlength=users))])
    none, nobody = np.zeros(0, np.int64), np.zeros(users + 1, np.int64)
    rows: dict[str, np.ndarray] = {
        "item": table[:, 1].astype(np.int32),
        "event": table[:, 2].astype(np.int32),
        "timestamp": table[:, 3],
    }
    empty: dict[str, np.ndarray] = {
        "item": none.astype(np.int32),
        "event": none.astype(np.int32),
        "timestamp": none,
    }
    past, future = (empty, rows) if targets else (rows, empty)
    return Histories(
        user=np.array([f"u{user}" for user in range(users)]),
        offsets=nobody if targets else offsets,
        item=past["item"],
        event=past["event"],
        timestamp=past["timestamp"],
        value=np.ones(len(past["item"]), np.float32),
        context={},
        target_offsets=offsets if targets else nobody,
        target_item=future["item"],
        target_event=future["event"],
        target_timestamp=future["timestamp"],
    )
