"""Shopper histories as TFRecord files, and back into numpy arrays.

TensorFlow is imported inside the functions, so that reading a manifest stays light.
"""

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrec.data.records import CONTEXT_PREFIX, TARGETS, Histories, no_targets
from tfrec.errors import UserError
from tfrec.progress import progress

HISTORY = {"item": np.int32, "event": np.int32, "timestamp": np.int64}
READ_BATCH = 2048


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
