"""The tf.data input pipeline: TFRecord shards become length-bucketed batches of histories."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfrec.data.dataset import PreparedDataset

SHUFFLE_BUFFER = 20_000


@dataclass(frozen=True)
class InputOptions:
    """How training batches are cut from a data set.

    Attributes:
        max_history: longest window; a longer history is cut into several.
        batch_positions: positions a batch; a batch of short histories holds more of them.
        target: `next_event` predicts each event from those before it; `next_basket` predicts each
            event from the baskets before its own (events with the same timestamp are one basket).
        shuffle_baskets: whether the lines of a basket are shuffled anew each epoch, for logs in
            which their order means nothing.
        seed: with the epoch, decides every random choice.
    """

    max_history: int
    batch_positions: int
    target: str = "next_event"
    shuffle_baskets: bool = False
    seed: int = 42


def read_records(
    dataset: PreparedDataset, split: str, *, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Reads a split's examples, shards interleaved and parsed in parallel.

    Args:
        dataset: the prepared data set.
        split: name of the split.
        shuffle_seed: order of the shards; `None` keeps them sorted.

    Returns:
        A dataset of dictionaries with `item`, `event`, `timestamp` int64 `[length]` and
        `context/<column>` int64 `[length]`.
    """
    files = tf.data.Dataset.from_tensor_slices(dataset.files(split))
    if shuffle_seed is not None:
        files = files.shuffle(len(dataset.files(split)), seed=shuffle_seed)
    records = files.interleave(
        lambda path: tf.data.TFRecordDataset(path, compression_type="GZIP"),
        cycle_length=4,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    names = ["item", "event", "timestamp"]
    names += [f"context/{column}" for column in dataset.context_columns]
    specification = {name: tf.io.RaggedFeature(tf.int64) for name in names}

    # One parse call for many records costs a tenth of one call a record.
    return (
        records.batch(256)
        .map(
            lambda batch: tf.io.parse_example(batch, specification),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .unbatch()
    )


def training_batches(
    dataset: PreparedDataset, options: InputOptions, epoch: int, *, skip: int = 0
) -> tf.data.Dataset:
    """Returns one epoch of training batches.

    The epoch is a pure function of `options.seed` and `epoch`, so training resumes in the middle
    of an epoch by skipping the batches it has seen.

    Args:
        dataset: the prepared data set.
        options: see `InputOptions`.
        epoch: number of the epoch, from 0.
        skip: batches to leave out at the start.

    Returns:
        A dataset of dictionaries with `item`, `event`, `timestamp` and `context/<column>` int64
        `[batch, length]`, `target` int64 `[batch, length]` (0 where the position is no example)
        and `state` int64 `[batch, length]`: query state `state[:, i]`, which has seen the events
        before that position, is trained towards `target[:, i]`.
    """
    seed = options.seed * 1_000_003 + epoch
    target_events = tf.constant(dataset.target_event_indices, tf.int64)
    records = read_records(dataset, "train", shuffle_seed=seed)
    windows = (
        records.enumerate()
        .map(
            lambda number, record: _windows(record, number, seed, target_events, options),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        .unbatch()
        .map(_trim, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .filter(lambda window: tf.reduce_any(window["target"] > 0))
        .shuffle(SHUFFLE_BUFFER, seed=seed)
    )
    boundaries = bucket_boundaries(options.max_history)
    batches = windows.bucket_by_sequence_length(
        element_length_func=lambda window: tf.cast(tf.shape(window["item"])[0], tf.int32),
        bucket_boundaries=[boundary + 1 for boundary in boundaries],
        bucket_batch_sizes=[
            max(1, options.batch_positions // boundary)
            for boundary in [*boundaries, options.max_history]
        ],
    )
    # Buckets fill at different rates and flush at the end; a second shuffle keeps runs of equal
    # lengths, which would bias the optimiser, from following each other.
    return batches.shuffle(64, seed=seed).skip(skip).prefetch(tf.data.AUTOTUNE)


def bucket_boundaries(max_history: int) -> Sequence[int]:
    """Returns the padded lengths of the batches: about 1.4 times longer each, from 4."""
    boundaries: list[int] = []
    length = 4.0
    while length < max_history:
        boundaries.append(int(length))
        length *= 1.4
    return boundaries


def _windows(
    record: dict[str, tf.Tensor],
    number: tf.Tensor,
    seed: int,
    target_events: tf.Tensor,
    options: InputOptions,
) -> dict[str, tf.Tensor]:
    """Cuts one history into windows of `max_history` events: `[windows, max_history]` each."""
    key = tf.stack([tf.constant(seed, tf.int64), number])
    size = options.max_history
    length = tf.shape(record["item"], tf.int64)[0]
    basket = _baskets(record["timestamp"])
    if options.shuffle_baskets:
        noise = tf.random.stateless_uniform([length], key)
        order = tf.argsort(tf.cast(basket, tf.float32) + noise * 0.999)
        record = {name: tf.gather(values, order) for name, values in record.items()}
    record = dict(record)
    hit = tf.reduce_any(record["event"][:, tf.newaxis] == target_events, axis=1)
    record["target"] = tf.where(hit, record["item"], tf.zeros_like(record["item"]))
    place = tf.range(length)
    first_of_basket = tf.cast(tf.searchsorted(basket, basket, side="left"), tf.int64)
    record["state"] = first_of_basket if options.target == "next_basket" else place
    # Windows start at a random offset, so that the cuts of a long history differ by epoch.
    offset = tf.random.stateless_uniform([], key + 1, maxval=size, dtype=tf.int64)
    first = tf.where(length > size, offset, tf.constant(0, tf.int64))
    starts = tf.range(first, length, size)
    splits = tf.concat([[tf.constant(0, tf.int64)], starts, [length]], axis=0)
    windows = {
        name: tf.RaggedTensor.from_row_splits(values, splits).to_tensor(shape=[None, size])
        for name, values in record.items()
    }
    windows["state"] -= splits[:-1, tf.newaxis]
    # State 0 stands for a shopper who has done nothing: only a true beginning trains it. States
    # before the window are out of reach.
    reachable = tf.where(splits[:-1, tf.newaxis] == 0, windows["state"] >= 0, windows["state"] > 0)
    windows["target"] = tf.where(reachable, windows["target"], tf.zeros_like(windows["target"]))
    windows["state"] = tf.maximum(windows["state"], 0)
    windows["length"] = splits[1:] - splits[:-1]
    return windows


def _trim(window: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    length = window["length"]
    return {name: values[:length] for name, values in window.items() if name != "length"}


def _baskets(timestamps: tf.Tensor) -> tf.Tensor:
    """Numbers the runs of equal timestamps from 0: int32 `[length]`."""
    changes = tf.cast(timestamps[1:] != timestamps[:-1], tf.int32)
    return tf.concat([tf.zeros_like(timestamps[:1], tf.int32), tf.cumsum(changes)], axis=0)
