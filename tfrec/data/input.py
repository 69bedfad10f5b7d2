"""The tf.data input pipeline: TFRecord shards become length-bucketed batches of histories.

Histories are cut, shuffled and batched a chunk of shoppers at a time, in operations over all events
of the chunk, because a tf.data element for every window would cost more than training on it.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfrec.config import RetrievalConfig
from tfrec.data.augmentation import left_out, reordered, shuffled_within
from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import CONTEXT_PREFIX
from tfrec.errors import UserError

CHUNK_SHOPPERS = 8192
SHARDS_AT_ONCE = 4


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
        event_dropout: share of the events that are predicted, but not read.
        event_reorder: share of a window in which items are in any order, events and all, while
            times and contexts stay.
    """

    max_history: int
    batch_positions: int
    target: str = "next_event"
    shuffle_baskets: bool = False
    seed: int = 42
    event_dropout: float = 0.0
    event_reorder: float = 0.0

    @classmethod
    def of(cls, config: RetrievalConfig, seed: int) -> "InputOptions":
        """Returns the options of a retrieval training."""
        return cls(
            max_history=config.max_history,
            batch_positions=config.training.batch_positions,
            target=config.target,
            shuffle_baskets=config.shuffle_baskets,
            seed=seed,
            event_dropout=config.event_dropout,
            event_reorder=config.event_reorder,
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
        before that position, is trained towards `target[:, i]`. Where events are left out, the
        others close ranks, so that `target[:, i]` is no longer `item[:, i]`, and `target_event`
        `[batch, length]` is its event type.

    Raises:
        UserError: if the options are about baskets and the log has no timestamps to tell them by.
    """
    names, chunks = _chunks(dataset, options, epoch)
    return (
        # The next chunk is read while the batches of this one are trained on.
        chunks.prefetch(1)
        .flat_map(lambda chunk: _batches(chunk, names))
        .skip(skip)
        .prefetch(tf.data.AUTOTUNE)
    )


def count_batches(dataset: PreparedDataset, options: InputOptions, epoch: int) -> int:
    """Returns how many batches `training_batches` makes of an epoch, without making them."""
    _, chunks = _chunks(dataset, options, epoch)
    return sum(int(tf.size(chunk["first"])) for chunk in chunks)


def bucket_boundaries(max_history: int) -> Sequence[int]:
    """Returns the padded lengths of the batches: about 1.4 times longer each, from 4."""
    boundaries: list[int] = []
    length = 4.0
    while length < max_history:
        boundaries.append(int(length))
        length *= 1.4
    return boundaries


def _chunks(
    dataset: PreparedDataset, options: InputOptions, epoch: int
) -> tuple[list[str], tf.data.Dataset]:
    """Returns the names of the features of a batch, and what `_chunk` returns for each chunk."""
    in_baskets = options.target == "next_basket" or options.shuffle_baskets
    if in_baskets and dataset.manifest.timestamps is None:
        raise UserError(
            f"the log of {dataset.path} has no timestamps, so baskets cannot be told apart; set "
            "retrieval.target to next_event and retrieval.shuffle_baskets to false"
        )
    names = ["item", "event", "timestamp"]
    names += [f"{CONTEXT_PREFIX}{column}" for column in dataset.context_columns]
    key = tf.constant([options.seed, epoch], tf.int64)
    files = tf.random.experimental.stateless_shuffle(dataset.files("train"), key)
    records = tf.data.Dataset.from_tensor_slices(files).interleave(
        lambda path: tf.data.TFRecordDataset(path, compression_type="GZIP"),
        cycle_length=SHARDS_AT_ONCE,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    plan = _chunk_function(tuple(names), tuple(dataset.target_event_indices), options)
    chunks = (
        records.batch(CHUNK_SHOPPERS)
        .enumerate()
        .map(lambda number, batch: plan(batch, number, key))
    )
    target_names = ["target_event"] if options.event_dropout else []
    return [*names, *target_names, "target", "state"], chunks


@functools.lru_cache(maxsize=8)
def _chunk_function(
    names: tuple[str, ...], target_events: tuple[int, ...], options: InputOptions
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
    """Returns `_chunk` as a graph, which is built once and not again for every epoch."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([2], tf.int64),
        ]
    )
    def chunk(records: tf.Tensor, number: tf.Tensor, key: tf.Tensor) -> dict[str, tf.Tensor]:
        own_key = tf.random.experimental.stateless_fold_in(key, number)
        return _chunk(records, names, target_events, options, own_key)

    return chunk


def _chunk(
    records: tf.Tensor,
    names: tuple[str, ...],
    target_events: tuple[int, ...],
    options: InputOptions,
    key: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Parses the records of some shoppers and plans their batches.

    Args:
        records: string `[shoppers]`, `tf.train.Example`s.
        names: the features to read.
        target_events: event types, from 1, that count as a hit.
        options: see `InputOptions`.
        key: int64 `[2]`, decides every random choice.

    Returns:
        `values` int64 `[events, features]`, the events of all shoppers one after the other, `start`
        and `length` int64 `[windows]`, the events of each window, and `first` and `last` int64
        `[batches]`, the windows of each batch.
    """
    keys = [tf.random.experimental.stateless_fold_in(key, number) for number in range(6)]
    ragged = tf.io.parse_example(
        records, {name: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64) for name in names}
    )
    splits = ragged["item"].row_splits
    columns = {name: ragged[name].values for name in names}
    new_basket = _basket_starts(columns["timestamp"], splits)
    basket = tf.cumsum(tf.cast(new_basket, tf.int64)) - 1
    if options.shuffle_baskets:
        order = shuffled_within(basket, keys[0])
        columns = {name: tf.gather(values, order) for name, values in columns.items()}

    # Windows lie end to end, like the histories that they are cut from.
    begin, owner = _window_starts(splits[1:] - splits[:-1], options.max_history, keys[1])
    start = begin + tf.gather(splits, owner)
    length = tf.concat([start[1:], splits[-1:]], axis=0) - start
    window = tf.repeat(tf.range(tf.size(start, tf.int64)), length)
    if options.event_reorder:
        order = reordered(start, window, options.event_reorder, keys[4])
        columns |= {name: tf.gather(columns[name], order) for name in ("item", "event")}
    place = tf.range(splits[-1])
    if options.target == "next_basket":
        place = tf.gather(tf.boolean_mask(place, new_basket), basket)
    state = place - tf.gather(start, window)
    # State 0 stands for a shopper who has done nothing: only a true beginning trains it. States
    # before the window are out of reach.
    reachable = state >= tf.where(tf.gather(begin, window) == 0, tf.zeros_like(state), 1)
    hit = tf.reduce_any(columns["event"][:, tf.newaxis] == target_events, axis=1)
    target = tf.where(tf.logical_and(hit, reachable), columns["item"], 0)
    target_event = columns["event"]
    state = tf.maximum(state, 0)
    if options.event_dropout:
        share = options.event_dropout
        columns, state = left_out(columns, state, start, window, share, keys[5])
        columns["target_event"] = target_event
    columns |= {"target": target, "state": state}

    useful = tf.math.segment_max(target, window) > 0
    order, first, last = _plan(tf.boolean_mask(length, useful), options, keys[2:4])
    return {
        "values": tf.stack(list(columns.values()), axis=1),
        "start": tf.gather(tf.boolean_mask(start, useful), order),
        "length": tf.gather(tf.boolean_mask(length, useful), order),
        "first": first,
        "last": last,
    }


def _basket_starts(timestamps: tf.Tensor, splits: tf.Tensor) -> tf.Tensor:
    """Returns bool `[events]`: whether a shopper's next basket starts there."""
    changed = timestamps != tf.concat([timestamps[:1], timestamps[:-1]], axis=0)
    nonempty = tf.boolean_mask(splits[:-1], splits[1:] > splits[:-1])
    return tf.tensor_scatter_nd_update(
        changed, nonempty[:, tf.newaxis], tf.ones_like(nonempty, tf.bool)
    )


def _window_starts(lengths: tf.Tensor, size: int, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts histories of `lengths` into windows of at most `size` events.

    The cuts of a long history start at a random offset, so that they differ by epoch.

    Returns:
        int64 `[windows]` the place in its history where each window starts, and int64 `[windows]`
        the history.
    """
    offset = tf.random.stateless_uniform(tf.shape(lengths), key, 1, size + 1, tf.int64)
    offset = tf.where(lengths > size, offset, size)
    starts = tf.ragged.range(offset - size, lengths, size, row_splits_dtype=tf.int64)
    return tf.maximum(starts.values, 0), starts.value_rowids()


def _plan(
    lengths: tf.Tensor, options: InputOptions, keys: list[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Puts windows of `lengths` into batches of like lengths, in random order.

    What is left of a length after its last full batch goes with the next longer one.

    Returns:
        int64 `[windows]`, an order of the windows in which every batch is a range; and the starts
        and ends of those ranges, int64 `[batches]`, in the order of training.
    """
    limits = [*bucket_boundaries(options.max_history), options.max_history]
    bucket = tf.searchsorted(tf.constant(limits, tf.int64), lengths, out_type=tf.int64)
    order = shuffled_within(bucket, keys[0])
    ends = tf.cumsum(tf.math.bincount(tf.cast(bucket, tf.int32), minlength=len(limits)))
    begin, firsts = tf.constant(0), []
    for index, limit in enumerate(limits):
        size = max(1, options.batch_positions // limit)
        full = begin + (ends[index] - begin) // size * size
        firsts.append(tf.range(begin, full, size))
        begin = full
    firsts.append(tf.range(begin, tf.maximum(ends[-1], begin), tf.maximum(ends[-1] - begin, 1)))
    first = tf.cast(tf.concat(firsts, axis=0), tf.int64)
    last = tf.concat([first[1:], tf.size(lengths, tf.int64)[tf.newaxis]], axis=0)[: tf.size(first)]
    shuffled = tf.random.experimental.stateless_shuffle(tf.range(tf.size(first)), keys[1])
    return order, tf.gather(first, shuffled), tf.gather(last, shuffled)


def _batches(chunk: dict[str, tf.Tensor], names: list[str]) -> tf.data.Dataset:
    """Returns the padded batches of a chunk."""

    def batch(first: tf.Tensor, last: tf.Tensor) -> dict[str, tf.Tensor]:
        start, length = chunk["start"][first:last, tf.newaxis], chunk["length"][first:last]
        column = tf.range(tf.reduce_max(length))
        inside = column < length[:, tf.newaxis]
        rows = tf.gather(chunk["values"], tf.where(inside, start + column, 0))
        rows *= tf.cast(inside, tf.int64)[..., tf.newaxis]
        return dict(zip(names, tf.unstack(rows, len(names), axis=-1), strict=True))

    return tf.data.Dataset.from_tensor_slices((chunk["first"], chunk["last"])).map(batch)
