"""Shopper histories as TFRecord files, and back into numpy arrays.

TensorFlow is imported inside the functions, so that reading a manifest stays light.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tfrec.errors import UserError
from tfrec.progress import progress

HISTORY = {"item": np.int32, "event": np.int32, "timestamp": np.int64}
TARGETS = {
    "target_item": np.int32,
    "target_event": np.int32,
    "target_timestamp": np.int64,
}
CONTEXT_PREFIX = "context/"
READ_BATCH = 2048


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

    def select(self, indices: np.ndarray) -> "Histories":
        """Returns the shoppers at `indices` (int `[S]`), in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        offsets, rows = ragged_rows(self.offsets[indices], self.offsets[indices + 1])
        target_offsets, target_rows = ragged_rows(
            self.target_offsets[indices], self.target_offsets[indices + 1]
        )
        return Histories(
            user=self.user[indices],
            offsets=offsets,
            item=self.item[rows],
            event=self.event[rows],
            timestamp=self.timestamp[rows],
            value=self.value[rows],
            context={name: values[rows] for name, values in self.context.items()},
            target_offsets=target_offsets,
            target_item=self.target_item[target_rows],
            target_event=self.target_event[target_rows],
            target_timestamp=self.target_timestamp[target_rows],
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


def write_histories(folder: Path, histories: Histories, *, shards: int, targets: bool) -> list[str]:
    """Writes GZIP TFRecord shards of neighbouring shoppers; returns the paths.

    Args:
        folder: made if it does not exist.
        histories: what to write, in record order.
        shards: how many files; fewer if there are fewer shoppers, but at least one.
        targets: whether records carry the target features.

    Raises:
        OSError: if the disk is full.
    """
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    shards = max(1, min(shards, len(histories)))
    bounds = np.linspace(0, len(histories), shards + 1).astype(int)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    paths = []
    with progress(
        description=f"writing {folder.name}", total=len(histories), unit="shopper"
    ) as bar:
        for shard in range(shards):
            path = str(folder / f"{shard:05d}-of-{shards:05d}.tfrecord.gz")
            first, last = int(bounds[shard]), int(bounds[shard + 1])
            try:
                with tf.io.TFRecordWriter(path, options) as writer:
                    for record in _examples(histories, first, last, targets):
                        writer.write(record)
            except tf.errors.ResourceExhaustedError as error:
                raise OSError(errno.ENOSPC, "no space left on the disk", path) from error
            paths.append(path)
            bar.update(last - first)
    return paths


def _examples(histories: Histories, first: int, last: int, targets: bool) -> Iterator[bytes]:
    import tensorflow as tf

    # Slices of plain lists are several times faster to put into a proto than numpy arrays.
    begin, end = int(histories.offsets[first]), int(histories.offsets[last])
    integers = {
        "item": histories.item,
        "event": histories.event,
        "timestamp": histories.timestamp,
        **{f"{CONTEXT_PREFIX}{name}": values for name, values in histories.context.items()},
    }
    integer_lists = {name: values[begin:end].tolist() for name, values in integers.items()}
    values = histories.value[begin:end].tolist()
    offsets = (histories.offsets[first : last + 1] - begin).tolist()
    target_begin = int(histories.target_offsets[first])
    target_end = int(histories.target_offsets[last])
    target_lists = {
        name: getattr(histories, name)[target_begin:target_end].tolist()
        for name in (TARGETS if targets else ())
    }
    target_offsets = (histories.target_offsets[first : last + 1] - target_begin).tolist()
    for i, user in enumerate(histories.user[first:last]):
        example = tf.train.Example()
        feature = example.features.feature
        feature["user"].bytes_list.value.append(str(user).encode())
        here = slice(offsets[i], offsets[i + 1])
        for name, numbers in integer_lists.items():
            feature[name].int64_list.value.extend(numbers[here])
        feature["value"].float_list.value.extend(values[here])
        there = slice(target_offsets[i], target_offsets[i + 1])
        for name, numbers in target_lists.items():
            feature[name].int64_list.value.extend(numbers[there])
        yield example.SerializeToString(deterministic=True)


def read_histories(paths: list[str], *, context: list[str], targets: bool) -> Histories:
    """Reads TFRecord shards back, all of them, in record order.

    Args:
        paths: the shards.
        context: the context columns.
        targets: whether the records carry target features.

    Raises:
        UserError: if a shard may not be read or is damaged.
    """
    import tensorflow as tf

    integers = ["item", "event", "timestamp", *(f"{CONTEXT_PREFIX}{name}" for name in context)]
    target_names = list(TARGETS) if targets else []
    features: dict[str, object] = {
        "user": tf.io.FixedLenFeature([], tf.string),
        "value": tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64),
        **{
            name: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
            for name in integers + target_names
        },
    }
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP").batch(READ_BATCH)
    try:
        batches = list(records.map(lambda batch: tf.io.parse_example(batch, features)))
    except tf.errors.OpError as error:
        raise UserError(
            f"a file of {Path(paths[0]).parent} is damaged or may not be read; copy the data set "
            "again or prepare it again"
        ) from error

    def flat(name: str, kind: type) -> np.ndarray:
        parts = [batch[name].values.numpy() for batch in batches]
        return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)

    def splits(name: str) -> np.ndarray:
        lengths = [np.diff(batch[name].row_splits.numpy()) for batch in batches]
        return np.cumsum(np.concatenate([[0], *lengths])).astype(np.int64)

    users = [user.decode() for batch in batches for user in batch["user"].numpy()]
    found = no_targets(len(users))
    if targets:
        found = {name: flat(name, kind) for name, kind in TARGETS.items()}
        found["target_offsets"] = splits("target_item")
    return Histories(
        user=np.array(users, dtype=np.str_),
        offsets=splits("item"),
        **{name: flat(name, kind) for name, kind in HISTORY.items()},
        value=flat("value", np.float32),
        context={name: flat(f"{CONTEXT_PREFIX}{name}", np.int32) for name in context},
        **found,
    )
