"""The co-occurrence memory: the score of a neighbourhood model, scaled to its weight."""

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from tests.layer_checks import check_call, check_config, check_saved_model
from tfrec.towers.memory import CooccurrenceMemory

SIZE = 6
SIMILARITY = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, 1.0, 0.5, 0.25, 0],
        [0, 0.5, 1.0, 0, 0],
        [0, 0.25, 0, 1.0, 0.75],
        [0, 0, 0, 0.75, 1.0],
    ]
)


class OfSixItems(CooccurrenceMemory):
    """The memory over a catalogue of fixed size, so that all inputs are tensors."""

    def call(self, items, hits):
        return super().call(items, hits, SIZE)


def filled(neighbours=3, decay=0.5, weight=1.0, kind=CooccurrenceMemory):
    memory = kind(num_ids=4, neighbours=neighbours)
    memory.fill(scipy.sparse.csr_matrix(SIMILARITY), decay)
    memory.weight.assign(weight)
    return memory


def scores(items, hits=None, **settings):
    items = tf.constant([items], tf.int64)
    hits = items > 0 if hits is None else tf.constant([hits])
    return filled(**settings)(items, hits, SIZE).numpy()[0]


@pytest.mark.parametrize("check", [check_call, check_config, check_saved_model])
def test_layer_checks(check):
    """All but training: the memory is counted, and has nothing to train."""
    items = tf.constant([[1, 2, 0], [3, 4, 5]], tf.int64)
    check(lambda: filled(kind=OfSixItems), (items, items > 0))
    assert not filled().trainable_variables


def test_worked_by_hand():
    # Item 3, a step back: 0.5 * (0.25, 0, 1, 0.75); item 2 now: (0.5, 1, 0, 0).
    total = np.array([0, 0.625, 1.0, 0.5, 0.375, 0])
    np.testing.assert_allclose(scores([3, 2]), total, atol=1e-6)
    # Twice the same item: 1.5 times its neighbours, and divided by the largest again.
    np.testing.assert_allclose(scores([2, 2]), [0, 0.5, 1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(scores([3, 2], weight=0.4), 0.4 * total, atol=1e-6)


def test_padding_misses_and_unknown_items_are_no_events():
    alone = scores([3, 2])
    np.testing.assert_allclose(scores([3, 2, 0, 0]), alone, atol=1e-6)
    np.testing.assert_allclose(scores([3, 5, 2]), alone, atol=1e-6)
    np.testing.assert_allclose(scores([3, 4, 2], hits=[True, False, True]), alone, atol=1e-6)


@pytest.mark.parametrize("items", [[0], [5], [0, 0, 5]])
def test_nothing_to_remember(items):
    assert not scores(items).any()


def test_only_the_nearest_are_kept():
    found = scores([1], neighbours=2)
    np.testing.assert_allclose(found, [0, 1.0, 0.5, 0, 0, 0], atol=1e-6)


def test_an_unfilled_memory_adds_nothing():
    items = tf.constant([[1, 2]], tf.int64)
    memory = CooccurrenceMemory(num_ids=4, neighbours=3)
    assert not memory(items, items > 0, SIZE).numpy().any()
