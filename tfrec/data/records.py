"""Shopper histories as numpy arrays."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

TARGETS = {
    "target_item": np.int32,
    "target_event": np.int32,
    "target_timestamp": np.int64,
}
CONTEXT_PREFIX = "context/"
"""Begins the names of context features among those of a history."""


@dataclass(frozen=True)
class Histories:
    """Shoppers of a split as flat ragged arrays; shopper `i` owns ``offsets[i]:offsets[i+1]``.

    Attributes:
        user: str `[U]`, salted hashes.
        offsets: int64 `[U+1]`.
        item: int32 `[E]`, item index from 1.
        event: int32 `[E]`, position in the manifest's event types, from 1.
        timestamp: int64 `[E]`, unix seconds; 0 where the log has no time.
        value: float32 `[E]`.
        context: int32 `[E]` by context column, position in its vocabulary from 1, 0 unknown.
        target_offsets: int64 `[U+1]`.
        target_item: int32 `[T]`; empty for train.
        target_event: int32 `[T]`.
        target_timestamp: int64 `[T]`.
    """

    user: np.ndarray
    offsets: np.ndarray
    item: np.ndarray
    event: np.ndarray
    timestamp: np.ndarray
    value: np.ndarray
    context: dict[str, np.ndarray]
    target_offsets: np.ndarray
    target_item: np.ndarray
    target_event: np.ndarray
    target_timestamp: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    @property
    def lengths(self) -> np.ndarray:
        """int64 `[U]`, events in each history."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> np.ndarray:
        """int64 `[E]`, the position of each event's shopper."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def target_owner(self) -> np.ndarray:
        """int64 `[T]`, the position of each target's shopper."""
        return np.repeat(np.arange(len(self)), np.diff(self.target_offsets))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(values.nbytes for values in self._arrays())

    def freeze(self) -> None:
        """Makes all arrays read-only, so that many readers can share them."""
        for values in self._arrays():
            values.flags.writeable = False

    def _arrays(self) -> list[np.ndarray]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return [*values.pop("context").values(), *values.values()]

    def history(self, i: int) -> slice:
        """Returns where the history of shopper `i` is in the flat arrays."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))

    def targets(self, i: int) -> slice:
        """Returns where the targets of shopper `i` are in the flat target arrays."""
        return slice(int(self.target_offsets[i]), int(self.target_offsets[i + 1]))

    def owners_of_targets(self, later: "Histories") -> np.ndarray:
        """Returns which of these shoppers each target of `later` is of.

        Args:
            later: shoppers of a later split.

        Returns:
            int64 `[T]`, positions of shoppers; -1 for those that only `later` has.
        """
        place = {user: position for position, user in enumerate(self.user)}
        owner = np.array([place.get(user, -1) for user in later.user], np.int64)
        return owner[later.target_owner]

    def followed_by_targets(self, later: "Histories") -> "Histories":
        """Returns these shoppers with what `later` holds as targets after their events.

        Shoppers that only `later` has come at the end. Targets carry neither value nor context,
        so the values of theirs are 1 and there is no context.

        Args:
            later: shoppers of a later split.
        """
        new = later.user[~np.isin(later.user, self.user)]
        users = np.concatenate([self.user, new])
        order = np.argsort(users, kind="stable")
        place = order[np.searchsorted(users, later.user, sorter=order)]
        owner = np.concatenate(
            [
                self.owner,
                place[later.target_owner],
            ]
        )
        rows = np.argsort(owner, kind="stable")
        sizes = np.bincount(owner, minlength=len(users))
        return Histories(
            user=users,
            offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            item=np.concatenate([self.item, later.target_item])[rows],
            event=np.concatenate([self.event, later.target_event])[rows],
            timestamp=np.concatenate([self.timestamp, later.target_timestamp])[rows],
            value=np.concatenate([self.value, np.ones(len(later.target_item), np.float32)])[rows],
            context={},
            **no_targets(len(users)),
        )

    def preceded_by(self, earlier: "Histories") -> "Histories":
        """Returns these shoppers with what they did earlier before their events; targets stay.

        Args:
            earlier: the same shoppers in the same order.
        """
        rows = np.argsort(np.concatenate([earlier.owner, self.owner]), kind="stable")

        def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
            events: np.ndarray = np.concatenate([first, second])[rows]
            return events

        return replace(
            self,
            offsets=earlier.offsets + self.offsets,
            item=joined(earlier.item, self.item),
            event=joined(earlier.event, self.event),
            timestamp=joined(earlier.timestamp, self.timestamp),
            value=joined(earlier.value, self.value),
            context={
                name: joined(earlier.context[name], values) for name, values in self.context.items()
            },
        )

    def select(self, indices: np.ndarray) -> "Histories":
        """Returns the shoppers at `indices` (int `[S]`), in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        offsets, rows = ragged_rows(self.offsets[indices], self.offsets[indices + 1])
        target_offsets, target_rows = ragged_rows(
            self.target_offsets[indices], self.target_offsets[indices + 1]
        )
        return replace(
            self.with_events(offsets, rows),
            user=self.user[indices],
            target_offsets=target_offsets,
            target_item=self.target_item[target_rows],
            target_event=self.target_event[target_rows],
            target_timestamp=self.target_timestamp[target_rows],
        )

    def without_items(self, left_out: np.ndarray) -> "Histories":
        """Returns the same shoppers without their events of some items; targets stay as they are.

        Args:
            left_out: bool `[num_items + 1]`, the items left out.
        """
        kept = ~left_out[self.item]
        sizes = np.bincount(self.owner[kept], minlength=len(self))
        return self.with_events(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), kept)

    def with_events(self, offsets: np.ndarray, rows: np.ndarray) -> "Histories":
        """Returns the same shoppers with some of their events; targets stay as they are.

        Args:
            offsets: int64 `[U + 1]`, where the events of each shopper begin among these.
            rows: int64 `[E]`, the positions of these among the events that there are, or bool.
        """
        return replace(
            self,
            offsets=offsets,
            item=self.item[rows],
            event=self.event[rows],
            timestamp=self.timestamp[rows],
            value=self.value[rows],
            context={name: values[rows] for name, values in self.context.items()},
        )


def no_targets(shoppers: int) -> dict[str, Any]:
    """Returns the fields of `Histories` about targets, for shoppers who have none."""
    empty = {name: np.zeros(0, dtype) for name, dtype in TARGETS.items()}
    return {"target_offsets": np.zeros(shoppers + 1, np.int64), **empty}


def batches_by_length(lengths: np.ndarray, size: int) -> list[np.ndarray]:
    """Returns the shoppers in batches of `size` and of like lengths, which pad each other little.

    Args:
        lengths: int `[shoppers]`, of their histories.
        size: shoppers a batch; the last one may have fewer.

    Returns:
        int64 positions of each batch.
    """
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + size] for start in range(0, len(order), size)]


def ragged_rows(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the offsets (int64 `[S+1]`) and rows (int64 `[E]`) of the ranges ``starts:ends``."""
    offsets = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int64)
    rows = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts)
    return offsets, rows
