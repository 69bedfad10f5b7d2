"""Histories as padded tensors: the last events, oldest first, zeros after them."""

import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation.small_shop import make_histories
from tfrec.towers.histories import last_events, pad_histories


def as_lists(history):
    return {name: values.numpy().tolist() for name, values in history.items()}


def test_the_last_events_of_every_shopper():
    histories = make_histories([[1, (2, 2), 3], [], [4], [5, 6]])
    histories.context["country"] = np.arange(1, 7, dtype=np.int32)
    assert as_lists(pad_histories(histories, 2)) == {
        "item": [[2, 3], [0, 0], [4, 0], [5, 6]],
        "event": [[2, 1], [0, 0], [1, 0], [1, 1]],
        "timestamp": [[0, 0]] * 4,
        "context/country": [[2, 3], [0, 0], [4, 0], [5, 6]],
        "length": [2, 0, 1, 2],
    }


def test_as_wide_as_the_longest_history():
    padded = pad_histories(make_histories([[1], [2, 3]]), 50)
    assert padded["item"].shape == (2, 2)
    assert padded["item"].dtype == padded["length"].dtype == tf.int64


@pytest.mark.parametrize("pasts", [[[]], [[], []], []])
def test_nothing_but_empty_histories(pasts):
    padded = pad_histories(make_histories(pasts), 5)
    assert padded["item"].shape == (len(pasts), 1)
    assert not padded["item"].numpy().any() and not padded["length"].numpy().any()


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
def test_cutting_padded_histories_is_padding_cut_ones(limit):
    histories = make_histories([[1, 2, 3], [], [4], [5, 6]])
    histories.timestamp[:] = np.arange(6)
    cut = as_lists(last_events(pad_histories(histories, 9), limit))
    assert cut == as_lists(pad_histories(histories, limit))
