"""Every event is an example once an epoch, its past is all it may see, and cost follows length."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfrec.data import input as pipeline
from tfrec.data.history_files import write_histories
from tfrec.data.input import InputOptions, bucket_boundaries, count_batches, training_batches
from tfrec.data.records import Histories
from tfrec.errors import UserError

PURCHASE, RETURN = 1, 2


@dataclass
class Log:
    """What the pipeline uses of a prepared data set; written to TFRecord files."""

    path: Path
    paths: list[str]
    context_columns: list[str] = field(default_factory=list)
    target_event_indices: list[int] = field(default_factory=lambda: [PURCHASE])
    manifest: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(timestamps="seconds"))

    def files(self, split):
        assert split == "train"
        return self.paths


@pytest.fixture
def write_log(tmp_path):
    """Writes histories, each a list of (item, event, timestamp) or of plain items."""

    def write(shoppers, *, context=None, shards=2, **changes):
        full = [
            [e if isinstance(e, tuple) else (e, PURCHASE, 100 * (i + 1)) for i, e in enumerate(h)]
            for h in shoppers
        ]
        item, event, timestamp = (
            np.array([e[column] for history in full for e in history], np.int64)
            for column in range(3)
        )
        none = np.zeros(0, np.int32)
        histories = Histories(
            user=np.array([f"{i:016x}" for i in range(len(full))]),
            offsets=np.cumsum([0, *map(len, full)]).astype(np.int64),
            item=item.astype(np.int32),
            event=event.astype(np.int32),
            timestamp=timestamp,
            value=np.ones(len(item), np.float32),
            context={name: np.array(values, np.int32) for name, values in (context or {}).items()},
            target_offsets=np.zeros(len(full) + 1, np.int64),
            target_item=none,
            target_event=none,
            target_timestamp=none.astype(np.int64),
        )
        paths = write_histories(tmp_path / "train", histories, shards=shards, targets=False)
        return Log(tmp_path, paths, context_columns=list(context or {}), **changes)

    return write


def numbered(lengths):
    """Histories in which the item tells shopper and place: 1000 * shopper + place, from 1."""
    return [[1000 * (s + 1) + place + 1 for place in range(n)] for s, n in enumerate(lengths)]


def in_baskets(sizes_by_shopper):
    """Numbered histories whose events come in baskets of the given sizes."""
    return [
        [
            (1000 * (s + 1) + place + 1, PURCHASE, 100 * (basket + 1))
            for place, basket in enumerate(np.repeat(np.arange(len(sizes)), sizes))
        ]
        for s, sizes in enumerate(sizes_by_shopper)
    ]


def arrays(batches):
    return [{name: values.numpy() for name, values in batch.items()} for batch in batches]


def examples(batches):
    """All examples of some batches: pairs of the items that the state has seen, and the target."""
    found = []
    for batch in arrays(batches):
        for row, column in zip(*np.nonzero(batch["target"]), strict=True):
            seen = batch["item"][row, : batch["state"][row, column]]
            found.append((tuple(seen.tolist()), int(batch["target"][row, column])))
    return found


def test_next_event_worked_by_hand(write_log):
    log = write_log([[7, 8, 9], [5]])
    found = examples(training_batches(log, InputOptions(4, 8), 0))
    assert sorted(found) == [((), 5), ((), 7), ((7,), 8), ((7, 8), 9)]


def test_next_basket_worked_by_hand(write_log):
    history = [(1, 1, 10), (2, 1, 10), (3, 1, 20), (4, 2, 20), (5, 1, 30), (6, 1, 30)]
    log = write_log([history])
    found = examples(training_batches(log, InputOptions(8, 8, "next_basket"), 0))
    past = (1, 2, 3, 4)
    assert sorted(found) == [((), 1), ((), 2), ((1, 2), 3), (past, 5), (past, 6)]


def test_what_is_no_target_event_is_seen_but_never_asked_for(write_log):
    log = write_log([[(1, PURCHASE, 1), (1, RETURN, 2), (2, PURCHASE, 3)], [(3, RETURN, 1)]])
    found = examples(training_batches(log, InputOptions(4, 8), 0))
    assert sorted(found) == [((), 1), ((1, 1), 2)]


@pytest.mark.parametrize("target", ["next_event", "next_basket"])
def test_every_event_of_a_short_history_is_an_example_once_with_its_whole_past(write_log, target):
    lengths = [0, 1, 2, 3, 8, 15, 16]
    log = write_log(numbered(lengths))
    expected = [
        (tuple(history[:place]), item)
        for history in numbered(lengths)
        for place, item in enumerate(history)
    ]
    # Every event has its own timestamp, so baskets and events are the same.
    found = examples(training_batches(log, InputOptions(16, 32, target), 0))
    assert sorted(found) == sorted(expected)


def test_a_long_history_loses_only_the_events_after_its_cuts(write_log):
    lengths, size = [17, 40, 100, 31], 16
    log = write_log(numbered(lengths))
    cuts = set()
    for epoch in range(8):
        found = examples(training_batches(log, InputOptions(size, 64), epoch))
        targets = [target for _, target in found]
        assert len(set(targets)) == len(targets)
        for past, target in found:
            place = target % 1000
            assert past == tuple(range(target - len(past), target))
            assert len(past) < size
            assert past or place == 1
        for history in numbered(lengths):
            missing = sorted(set(history) - set(targets))
            assert missing, "a history of several windows has cuts"
            cuts.update(missing)
            # Windows of the full size lie between the cuts.
            assert set(np.diff(missing)) <= {size}
            assert missing[0] % 1000 <= size + 1
            assert len(history) - missing[-1] % 1000 < size
    first_cuts = {cut for cut in cuts if cut // 1000 == 3 and cut % 1000 <= size + 1}
    assert len(first_cuts) > 3, "the cuts differ by epoch"


def test_next_basket_sees_whole_earlier_baskets_and_nothing_else(write_log):
    random = np.random.default_rng(0)
    sizes = [random.integers(1, 6, random.integers(1, 12)) for _ in range(30)]
    log = write_log(in_baskets(sizes))
    options = InputOptions(16, 64, "next_basket", shuffle_baskets=True)
    for epoch in range(3):
        found = examples(training_batches(log, options, epoch))
        assert len({target for _, target in found}) == len(found)
        for past, target in found:
            shopper, place = divmod(target - 1, 1000)
            ends = np.cumsum(sizes[shopper - 1])
            before = int(ends[ends <= place].max(initial=0))
            places = sorted((item - 1) % 1000 for item in past)
            # The last events before the target's basket, and at least one unless there is none;
            # of the oldest basket in reach, lines are missing if the window was cut there.
            assert len(places) <= before and (places or before == 0)
            starts = np.array([0, *ends])
            reach = before - len(places)
            assert set(range(int(starts[starts >= reach][0]), before)) <= set(places)
            assert min(places, default=0) >= starts[starts <= reach][-1]
            assert max(places, default=-1) < before


def test_short_next_basket_histories_lose_nothing(write_log):
    sizes = [[1], [3, 2], [5, 5, 5], [1, 1, 1, 13]]
    log = write_log(in_baskets(sizes))
    found = examples(training_batches(log, InputOptions(16, 64, "next_basket"), 0))
    assert len(found) == 1 + 5 + 15 + 16
    for past, target in found:
        shopper, place = divmod(target - 1, 1000)
        ends = np.cumsum(sizes[shopper - 1])
        assert len(past) == ends[ends <= place].max(initial=0)


def test_lines_are_shuffled_within_their_basket_only(write_log):
    sizes = [[6, 1, 6, 3], [2, 9]]
    log = write_log(in_baskets(sizes), context={"line": np.arange(1, 28)})
    items = [event[0] for history in in_baskets(sizes) for event in history]
    places = {item: place for place, item in enumerate(items, start=1)}
    orders = set()
    for epoch in range(4):
        options = InputOptions(20, 64, shuffle_baskets=True)
        for batch in arrays(training_batches(log, options, epoch)):
            for row in range(len(batch["item"])):
                length = np.count_nonzero(batch["item"][row])
                item, time = batch["item"][row, :length], batch["timestamp"][row, :length]
                assert (np.diff(time) >= 0).all()
                shopper = item[0] // 1000 - 1
                assert sorted(item) == [e[0] for e in in_baskets(sizes)[shopper]]
                baskets = np.repeat(np.arange(len(sizes[shopper])), sizes[shopper])
                assert time.tolist() == (100 * (baskets + 1)).tolist()
                # All columns of an event move together.
                lines = batch["context/line"][row, :length]
                assert lines.tolist() == [places[i] for i in item.tolist()]
                orders.add(tuple(item.tolist()))
    assert len(orders) == 8, "every epoch has an order of its own for both shoppers"


@pytest.mark.parametrize("target", ["next_event", "next_basket"])
def test_events_left_out_of_what_is_read_are_predicted_all_the_same(write_log, target):
    history = [(i + 1, RETURN if i % 4 == 3 else PURCHASE, 100 * (i // 2 + 1)) for i in range(14)]
    log = write_log([history, [(i + 100, e, t) for i, e, t in history]], shards=1)
    whole = dict(
        reversed(each) for each in examples(training_batches(log, InputOptions(16, 64, target), 0))
    )
    pasts = set()
    for epoch in range(4):
        batches = list(
            training_batches(log, InputOptions(16, 64, target, event_dropout=0.5), epoch)
        )
        found = dict(reversed(each) for each in examples(batches))
        assert found.keys() == whole.keys()
        for item, past in found.items():
            assert set(past) <= set(whole[item])
            assert list(past) == sorted(past)
            assert past[:1] == whole[item][:1], "only a new shopper has read nothing"
        pasts.update(found.values())
        (batch,) = arrays(batches)
        assert (batch["target_event"][batch["target"] > 0] == PURCHASE).all()
        for row in range(2):
            read = batch["item"][row] > 0
            assert read.tolist() == sorted(read.tolist(), reverse=True)
            # What is read of an event stays together.
            place = batch["item"][row][read] % 100 - 1
            assert batch["timestamp"][row][read].tolist() == (100 * (place // 2 + 1)).tolist()
            assert not batch["timestamp"][row][~read].any()
    assert len(pasts) > len(whole) + 4


def test_reordered_items_are_predicted_in_their_new_order(write_log):
    log = write_log(numbered([12]))
    orders = set()
    for epoch in range(6):
        options = InputOptions(16, 64, event_reorder=0.5)
        (batch,) = arrays(training_batches(log, options, epoch))
        items = batch["item"][0].tolist()
        assert sorted(items) == list(range(1001, 1013))
        assert batch["target"][0].tolist() == items
        assert batch["state"][0].tolist() == list(range(12))
        assert batch["timestamp"][0].tolist() == list(range(100, 1300, 100))
        assert np.ptp(np.flatnonzero(np.array(items) != np.arange(1001, 1013))) < 6
        orders.add(tuple(items))
    assert len(orders) == 6


def test_order_is_kept_without_shuffling(write_log):
    log = write_log(in_baskets([[6, 6]]))
    (batch,) = arrays(training_batches(log, InputOptions(20, 64), 0))
    assert batch["item"][0].tolist() == list(range(1001, 1013))


def test_batches_are_decided_by_seed_and_epoch(write_log):
    random = np.random.default_rng(1)
    log = write_log(numbered(random.integers(1, 60, 80)), shards=4)

    def epoch(number, seed=1, process_seed=0):
        tf.random.set_seed(process_seed)
        told = {"event_dropout": 0.2, "event_reorder": 0.5}
        options = InputOptions(16, 64, shuffle_baskets=True, seed=seed, **told)
        return arrays(training_batches(log, options, number))

    def same(one, other):
        return len(one) == len(other) and all(
            np.array_equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a
        )

    first = epoch(0)
    assert same(first, epoch(0))
    assert same(first, epoch(0, process_seed=9)), "no other seed matters"
    assert not same(first, epoch(1))
    assert not same(first, epoch(0, seed=2))


@pytest.mark.parametrize("skip", [0, 1, 7, 1000])
def test_skipping_drops_the_first_batches(write_log, skip):
    log = write_log(numbered([5, 9, 30, 2, 2, 11, 16, 3]))
    options = InputOptions(8, 8, event_dropout=0.3, event_reorder=0.5)
    whole = arrays(training_batches(log, options, 3))
    rest = arrays(training_batches(log, options, 3, skip=skip))
    assert len(whole) > 7
    assert len(rest) == max(len(whole) - skip, 0)
    for one, other in zip(rest, whole[skip:], strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("shoppers_a_chunk", [3, 1000])
def test_batches_are_counted_without_making_them(write_log, monkeypatch, shoppers_a_chunk):
    monkeypatch.setattr(pipeline, "CHUNK_SHOPPERS", shoppers_a_chunk)
    log = write_log(numbered([3, 9, 30, 1, 12, 5, 7, 2]))
    options = InputOptions(max_history=10, batch_positions=20)
    for epoch in range(3):
        made = len(list(training_batches(log, options, epoch)))
        assert count_batches(log, options, epoch) == made > 3


def test_boundaries_worked_by_hand():
    # 4, 5.6, 7.84, 10.976, 15.3664, ...
    assert bucket_boundaries(15) == [4, 5, 7, 10]
    assert bucket_boundaries(16) == [4, 5, 7, 10, 15]
    assert bucket_boundaries(4) == []


@pytest.mark.parametrize("size", [1, 3, 4, 50])
def test_any_longest_history(write_log, size):
    log = write_log(numbered([1, 2, 3, 4, 5, 3 * size]))
    found = examples(training_batches(log, InputOptions(size, 8), 0))
    assert {((), 1001), ((), 2001)} <= set(found)
    assert max(len(past) for past, _ in found) == size - 1


def test_a_batch_is_as_wide_as_its_longest_history_and_holds_few_pads(write_log):
    random = np.random.default_rng(2)
    lengths = np.minimum(random.geometric(0.08, 3000), 50)
    log = write_log(numbered(lengths))
    limits = [*bucket_boundaries(50), 50]
    positions = real = 0
    partial = 0
    for batch in arrays(training_batches(log, InputOptions(50, 512), 0)):
        rows, width = batch["item"].shape
        longest = np.count_nonzero(batch["item"], axis=1).max()
        assert width == longest
        limit = min(limit for limit in limits if limit >= longest)
        assert rows <= max(1, 512 // limit)
        partial += rows < 512 // limits[-1]
        positions += rows * width
        real += np.count_nonzero(batch["item"])
    assert real == lengths.sum()
    assert 1 - real / positions < 0.2
    assert partial <= 1, "what one length leaves over goes with the next"


def test_a_batch_holds_one_history_at_least(write_log):
    log = write_log(numbered([10, 10]))
    batches = arrays(training_batches(log, InputOptions(16, 1), 0))
    assert [batch["item"].shape for batch in batches] == [(1, 10), (1, 10)]


def test_chunks_of_shoppers_lose_nothing(write_log, monkeypatch):
    random = np.random.default_rng(3)
    lengths = random.integers(0, 17, 50)
    log = write_log(numbered(lengths), shards=3)
    options = InputOptions(16, 64)
    whole = examples(training_batches(log, options, 0))
    monkeypatch.setattr(pipeline, "CHUNK_SHOPPERS", 7)
    in_chunks = examples(training_batches(log, options, 0))
    assert len(whole) == lengths.sum()
    assert sorted(in_chunks) == sorted(whole)
    assert examples(training_batches(log, options, 0)) == in_chunks
    assert examples(training_batches(log, options, 1)) != in_chunks


def test_chunks_are_cut_differently(write_log, monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNK_SHOPPERS", 1)
    log = write_log(numbered([100] * 12), shards=1)
    found = {target for _, target in examples(training_batches(log, InputOptions(16, 64), 0))}
    cuts = [min(set(history) - found) % 1000 for history in numbered([100] * 12)]
    assert len(set(cuts)) > 3


def test_context_stays_with_its_event(write_log):
    log = write_log([[11, 12, 13], [21]], context={"country": [1, 2, 0, 3], "shop": [4, 4, 5, 6]})
    (batch,) = arrays(training_batches(log, InputOptions(4, 64), 0))
    rows = {int(row["item"][0]): row for row in _rows(batch)}
    assert rows[11]["context/country"].tolist() == [1, 2, 0]
    assert rows[11]["context/shop"].tolist() == [4, 4, 5]
    assert rows[21]["context/country"].tolist() == [3, 0, 0]
    assert batch["item"].dtype == np.int64


def _rows(batch):
    return [{name: values[row] for name, values in batch.items()} for row in range(2)]


@pytest.mark.parametrize("shoppers", [[], [[]], [[], []], [[(1, RETURN, 5)]]])
@pytest.mark.parametrize("target", ["next_event", "next_basket"])
def test_nothing_to_learn_from(write_log, shoppers, target):
    log = write_log(shoppers)
    told = {"shuffle_baskets": True, "event_dropout": 0.5, "event_reorder": 0.5}
    options = InputOptions(4, 8, target, **told)
    assert arrays(training_batches(log, options, 0)) == []


@pytest.mark.parametrize("options", [("next_basket", False), ("next_event", True)])
def test_baskets_need_timestamps(write_log, options):
    log = write_log([[1, 2]], manifest=SimpleNamespace(timestamps=None))
    with pytest.raises(UserError, match=r"no timestamps.*set retrieval.target to next_event"):
        training_batches(log, InputOptions(4, 8, *options), 0)
    training_batches(log, InputOptions(4, 8), 0)


def test_two_baskets_of_neighbouring_shoppers_are_two(write_log):
    """The last basket of one shopper and the first of the next have the same timestamp."""
    log = write_log([[(1, 1, 50), (2, 1, 50)], [(3, 1, 50), (4, 1, 60)]], shards=1)
    options = InputOptions(4, 8, "next_basket", shuffle_baskets=True)
    for epoch in range(2):
        found = examples(training_batches(log, options, epoch))
        assert sorted(found) == [((), 1), ((), 2), ((), 3), ((3,), 4)]
