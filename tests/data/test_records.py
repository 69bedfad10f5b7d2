import errno
from dataclasses import replace

import numpy as np
import pytest

from tfrec.data.history_files import read_histories, write_histories
from tfrec.data.records import Histories, no_targets, ragged_rows


def histories(lengths, target_lengths, seed=0):
    random = np.random.default_rng(seed)
    events, targets = sum(lengths), sum(target_lengths)
    return Histories(
        user=np.array([f"{i:016x}" for i in range(len(lengths))]),
        offsets=np.cumsum([0, *lengths]).astype(np.int64),
        item=random.integers(1, 100, events).astype(np.int32),
        event=random.integers(1, 3, events).astype(np.int32),
        timestamp=random.integers(0, 2**40, events),
        value=random.normal(size=events).astype(np.float32),
        context={"country": random.integers(0, 5, events).astype(np.int32)},
        target_offsets=np.cumsum([0, *target_lengths]).astype(np.int64),
        target_item=random.integers(1, 100, targets).astype(np.int32),
        target_event=random.integers(1, 3, targets).astype(np.int32),
        target_timestamp=random.integers(0, 2**40, targets),
    )


def assert_equal(one, other):
    for name in one.__dataclass_fields__:
        left, right = getattr(one, name), getattr(other, name)
        if name == "context":
            assert left.keys() == right.keys()
            pairs = [(left[key], right[key]) for key in left]
        else:
            pairs = [(left, right)]
        for a, b in pairs:
            np.testing.assert_array_equal(a, b, err_msg=name)
            assert a.dtype.kind == b.dtype.kind
            assert name == "user" or a.dtype == b.dtype, name


def test_what_is_written_is_read_back(tmp_path):
    written = histories([3, 0, 5, 1, 2], [1, 2, 1, 4, 1])
    paths = write_histories(tmp_path / "test", written, shards=2, targets=True)
    assert [path.rsplit("/", 1)[1] for path in paths] == [
        "00000-of-00002.tfrecord.gz",
        "00001-of-00002.tfrecord.gz",
    ]
    assert_equal(read_histories(paths, context=["country"], targets=True), written)


def test_train_records_have_no_targets(tmp_path):
    written = histories([3, 1], [0, 0])
    paths = write_histories(tmp_path / "train", written, shards=9, targets=False)
    assert len(paths) == 2  # no more shards than shoppers
    assert_equal(read_histories(paths, context=["country"], targets=False), written)


def test_a_split_without_shoppers_is_one_readable_file(tmp_path):
    paths = write_histories(tmp_path / "valid", histories([], []), shards=4, targets=True)
    assert len(paths) == 1
    assert len(read_histories(paths, context=["country"], targets=True)) == 0


def test_the_features_are_those_of_the_contract(tmp_path):
    import tensorflow as tf

    written = histories([2], [1])
    paths = write_histories(tmp_path / "test", written, shards=1, targets=True)
    (record,) = tf.data.TFRecordDataset(paths, compression_type="GZIP").as_numpy_iterator()
    features = tf.train.Example.FromString(record).features.feature
    assert set(features) == {
        *("user", "item", "event", "timestamp", "value", "context/country"),
        *("target_item", "target_event", "target_timestamp"),
    }
    assert features["user"].bytes_list.value[:] == [b"0" * 16]
    assert features["item"].int64_list.value[:] == written.item.tolist()
    assert features["value"].float_list.value[:] == written.value.tolist()
    assert features["target_item"].int64_list.value[:] == written.target_item.tolist()


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_histories(tmp_path / name, histories([3, 2], [1, 1]), shards=1, targets=True)
    one, two = (next((tmp_path / name).iterdir()).read_bytes() for name in ("one", "two"))
    assert one == two


def test_selected_shoppers_come_in_the_given_order():
    everyone = histories([3, 0, 5], [1, 2, 3])
    some = everyone.select(np.array([2, 0, 2]))
    assert some.lengths.tolist() == [5, 3, 5]
    np.testing.assert_array_equal(some.item[some.history(1)], everyone.item[0:3])
    np.testing.assert_array_equal(some.item[some.history(2)], everyone.item[3:8])
    np.testing.assert_array_equal(some.target_item[some.targets(0)], everyone.target_item[3:6])
    np.testing.assert_array_equal(
        some.context["country"][some.history(0)], everyone.context["country"][3:8]
    )
    assert len(everyone.select(np.array([], dtype=int))) == 0


def test_ragged_rows():
    offsets, rows = ragged_rows(np.array([4, 0, 2]), np.array([6, 0, 5]))
    assert offsets.tolist() == [0, 2, 2, 5]
    assert rows.tolist() == [4, 5, 2, 3, 4]


def test_a_full_disk_is_an_os_error_that_says_so(tmp_path, monkeypatch):
    import tensorflow as tf

    def full(self, record):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", full)
    with pytest.raises(OSError, match="no space left") as caught:
        write_histories(tmp_path / "train", histories([1], [0]), shards=1, targets=False)
    assert caught.value.errno == errno.ENOSPC


def test_targets_follow_their_shoppers_events():
    past = replace(histories([2, 0, 1], [0, 0, 0]), user=np.array(["b", "a", "c"]))
    later = replace(histories([5, 5, 1], [1, 2, 1], seed=1), user=np.array(["a", "d", "b"]))
    log = past.followed_by_targets(later)
    assert log.user.tolist() == ["b", "a", "c", "d"]
    assert log.lengths.tolist() == [3, 1, 1, 2]
    order = [past.item[:2], later.target_item[3:], later.target_item[:1], past.item[2:]]
    assert log.item.tolist() == [*np.concatenate(order), *later.target_item[1:3]]
    assert log.timestamp[2] == later.target_timestamp[3]
    assert log.event[4] == past.event[2]
    assert log.value[[0, 2]].tolist() == [past.value[0], 1.0]
    assert not log.target_item.size and log.target_offsets.tolist() == [0] * 5


def test_events_and_targets_know_their_shoppers():
    some = histories([2, 0, 1], [1, 2, 0])
    assert some.owner.tolist() == [0, 0, 2]
    assert some.target_owner.tolist() == [0, 1, 1]


def test_targets_of_a_later_split_find_their_shoppers():
    earlier = replace(histories([1, 1], [0, 0]), user=np.array(["a", "b"]))
    later = replace(histories([0, 0, 0], [2, 1, 1]), user=np.array(["b", "c", "a"]))
    assert earlier.owners_of_targets(later).tolist() == [1, 1, -1, 0]


def test_who_has_no_targets_has_empty_fields():
    plain = histories([2, 1], [1, 1])
    without = Histories(**{**vars(plain), **no_targets(2)})
    assert without.target_offsets.tolist() == [0, 0, 0]
    assert_equal(without, histories([2, 1], [0, 0]))


def test_shoppers_without_their_events_of_some_items():
    whole = histories([3, 1, 2], [1, 0, 2])
    left_out = np.zeros(100, bool)
    left_out[whole.item[[0, 3]]] = True
    kept = ~left_out[whole.item]
    found = whole.without_items(left_out)
    assert not left_out[found.item].any() and len(found) == 3
    assert found.lengths[1] == 0, "a shopper without events is still there"
    for name in ("item", "event", "timestamp", "value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(whole, name)[kept])
    np.testing.assert_array_equal(found.owner, whole.owner[kept])
    np.testing.assert_array_equal(found.target_item, whole.target_item)
