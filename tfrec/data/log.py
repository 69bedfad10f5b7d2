"""The accepted events as arrays, shopper by shopper and oldest first."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tfrec.data.users import hash_user


@dataclass(frozen=True)
class EventLog:
    """Events of one shopper together, oldest first; shoppers ordered by their hash.

    The order by hash is as good as a shuffle, and the same in every run.

    Attributes:
        user_hashes: str `[u]`, sorted.
        event_types: event names.
        has_time: whether the log has timestamps.
        rows: int64 `[n]`, position of each event in the table it came from.
        user: int64 `[n]`, position in `user_hashes`.
        item: int32 `[n]`, item index from 1.
        event: int32 `[n]`, position in `event_types` from 1.
        microseconds: int64 `[n]`, unix time; 0 where the log has none.
        value: float32 `[n]`.
        context: str objects `[n]` by context column, None where missing.
    """

    user_hashes: np.ndarray
    event_types: list[str]
    has_time: bool
    rows: np.ndarray
    user: np.ndarray
    item: np.ndarray
    event: np.ndarray
    microseconds: np.ndarray
    value: np.ndarray
    context: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, mask: np.ndarray) -> "EventLog":
        """Returns the events of `mask` (bool `[n]`)."""
        return replace(
            self,
            rows=self.rows[mask],
            user=self.user[mask],
            item=self.item[mask],
            event=self.event[mask],
            microseconds=self.microseconds[mask],
            value=self.value[mask],
            context={name: values[mask] for name, values in self.context.items()},
        )

    def is_event(self, names: list[str]) -> np.ndarray:
        """Returns bool `[n]`: events of the types `names`."""
        indices = [self.event_types.index(name) + 1 for name in names if name in self.event_types]
        return np.isin(self.event, indices)


def order_log(
    frame: pd.DataFrame,
    kept: np.ndarray,
    item_index: np.ndarray,
    *,
    event_types: list[str] | None,
    value_columns: list[str],
    context_columns: list[str],
    salt: str,
    by_position: bool,
) -> EventLog:
    """Puts the kept events into their order.

    Args:
        frame: typed events `[m, columns]`.
        kept: bool `[m]`.
        item_index: int `[m]`, index of each event's item from 1.
        event_types: the vocabulary of event names; None: those found, sorted.
        value_columns: the first of these that the log has is its value.
        context_columns: columns to carry along.
        salt: of the user hashes.
        by_position: whether `position` outranks the timestamp (where the log has it).
    """
    rows = np.flatnonzero(kept)
    frame = frame.iloc[rows]
    codes, ids = pd.factorize(frame["user_id"])
    hashes = np.array([hash_user(user, salt) for user in ids], dtype=np.str_)
    by_hash = np.argsort(hashes, kind="stable")
    rank = np.empty(len(ids), dtype=np.int64)
    rank[by_hash] = np.arange(len(ids))
    user = rank[codes]
    if event_types is None:
        event_types = sorted(frame["event"].unique())
    event = pd.Index(event_types).get_indexer(frame["event"]) + 1
    has_time = "timestamp" in frame
    zeros = np.zeros(len(rows), dtype=np.int64)
    microseconds = (
        frame["timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64)
        if has_time
        else zeros
    )
    position = frame["position"].fillna(-np.inf).to_numpy() if "position" in frame else zeros
    # np.lexsort sorts by its last key first, and leaves ties in the order of the rows.
    keys = (microseconds, position) if by_position else (position, microseconds)
    order = np.lexsort((*keys, user))
    value_column = next((name for name in value_columns if name in frame), None)
    value = frame[value_column].fillna(1.0).to_numpy() if value_column else np.ones(len(rows))
    return EventLog(
        user_hashes=hashes[by_hash],
        event_types=event_types,
        has_time=has_time,
        rows=rows[order],
        user=user[order],
        item=item_index[rows][order].astype(np.int32),
        event=event[order].astype(np.int32),
        microseconds=microseconds[order],
        value=value[order].astype(np.float32),
        context={
            name: frame[name].astype(object).where(frame[name].notna(), None).to_numpy()[order]
            for name in context_columns
        },
    )
