"""The sampled softmax, its draws and its memory, against numpy with tiny numbers."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.models.cross_batch_memory import CrossBatchMemory
from tfrec.models.negatives import Candidates, HardNegatives, SharedDraws, hard_negatives
from tfrec.models.sampled_softmax import SampledSoftmax

# One dimension, and one query: the logits are the vectors.
ONE = tf.constant([[1.0]])


def candidates(items, logits, expected):
    vectors = tf.constant(logits, tf.float32)[:, tf.newaxis]
    times = tf.constant(expected, tf.float32)
    return Candidates(tf.constant(items, tf.int64), vectors[:1], vectors, times)


class TestOneQuery:
    """The true item 7 with logit log 2, item 8 with log 3, item 9 with log 4 and item 7 again."""

    SHARED = candidates([7, 8, 9, 7, 0], np.log([2, 3, 4, 9, 9]), [0.5, 0.25, 2.0, 0.5, 1.0])

    @pytest.mark.parametrize(
        ("correction", "true", "rivals"),
        [
            ("none", 2, 3 + 4),
            ("all", 2 / 0.5, 3 / 0.25 + 4 / 2),
            ("negatives", 2, 3 / 0.25 + 4 / 2),
        ],
    )
    def test_corrections(self, correction, true, rivals):
        loss = SampledSoftmax(correction)(ONE, self.SHARED, 1.0)
        np.testing.assert_allclose(loss, [-np.log(true / (true + rivals))], rtol=1e-6)

    def test_temperature_divides_the_logits(self):
        loss = SampledSoftmax("none")(ONE, self.SHARED, 0.5)
        np.testing.assert_allclose(loss, [-np.log(4 / (4 + 9 + 16))], rtol=1e-6)

    def test_a_hard_negative_counts_once_and_uncorrected(self):
        """Items 9, which is drawn as well, 5 with logit log 6, and none."""
        vectors = tf.constant(np.log([[[4.0], [6.0], [8.0]]]), tf.float32)
        hard = HardNegatives(tf.constant([[9, 5, 0]], tf.int64), vectors)
        loss = SampledSoftmax("negatives")(ONE, self.SHARED, 1.0, hard)
        np.testing.assert_allclose(loss, [-np.log(2 / (2 + 3 / 0.25 + 4 + 6))], rtol=1e-6)

    @pytest.mark.parametrize("correction", ["none", "all", "negatives"])
    def test_label_smoothing(self, correction):
        """The mean logit of the catalogue is estimated with each draw's share of it."""
        shares = np.ones(2) if correction == "none" else 1 / np.array([0.25, 2.0])
        mean = (np.log(2) + shares @ np.log([3, 4])) / (1 + shares.sum())
        plain = SampledSoftmax(correction)(ONE, self.SHARED, 1.0)
        smooth = SampledSoftmax(correction, 0.1)(ONE, self.SHARED, 1.0)
        np.testing.assert_allclose(smooth - plain, [0.1 * (np.log(2) - mean)], rtol=1e-4)

    def test_without_a_negative_there_is_nothing_to_learn(self):
        alone = candidates([7], [0.3], [0.0])
        for correction in ("none", "negatives"):
            assert float(SampledSoftmax(correction)(ONE, alone, 1.0)[0]) == 0.0


def random_batch():
    random = np.random.default_rng(0)
    queries = tf.constant(random.normal(size=(3, 4)), tf.float32)
    vectors = tf.Variable(random.normal(size=(6, 4)), dtype=tf.float32)
    return queries, vectors, np.array([5, 2, 5, 1, 2, 3])


@pytest.mark.parametrize("correction", ["none", "all"])
def test_is_the_task_of_tensorflow_recommenders(correction):
    queries, vectors, items = random_batch()
    expected = np.array([0.5, 0.2, 0.5, 0.1, 0.2, 0.7], np.float32)
    task = tfrs.tasks.Retrieval(temperature=0.3, remove_accidental_hits=True)
    weights = [1.0, 0.5, 2.0]
    reference = tf.function(task)(
        queries,
        vectors,
        sample_weight=tf.constant(weights),
        candidate_sampling_probability=None if correction == "none" else expected,
        candidate_ids=items,
        compute_metrics=False,
    )
    losses = SampledSoftmax(correction)(
        queries, Candidates(items, vectors[:3], vectors, expected), 0.3
    )
    np.testing.assert_allclose(np.dot(losses, weights), reference, rtol=1e-5)


def test_gradient_is_that_of_the_weighted_loss():
    """Khrylchenko et al.: (1 - P(true)) log(sum of the negatives / true), the weight constant."""
    queries, vectors, items = random_batch()
    expected = tf.constant([0.5, 0.2, 0.5, 0.1, 0.2, 0.7])
    with tf.GradientTape(persistent=True) as tape:
        losses = SampledSoftmax("negatives")(
            queries, Candidates(items, vectors[:3], vectors, expected), 1.0
        )
        logits = tf.exp(queries @ tf.transpose(vectors))
        true = tf.linalg.diag_part(logits[:, :3])
        negative = tf.constant((items != items[:3, np.newaxis]).astype(np.float32))
        rivals = tf.reduce_sum(negative * logits / expected, axis=1)
        weight = tf.stop_gradient(1.0 - true / (true + rivals))
        weighted = weight * tf.math.log(rivals / true)
    found, wanted = tape.gradient(losses, vectors), tape.gradient(weighted, vectors)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert np.abs(wanted).max() > 0.1


def test_every_item_once_is_the_full_softmax():
    """Where each item but the true one is drawn just as often as expected, nothing is lost."""
    queries, vectors, _ = random_batch()
    items = tf.constant([1, 2, 3, 4, 5, 6], tf.int64)
    shared = Candidates(items, vectors[:3], vectors, tf.ones(6))
    losses = SampledSoftmax("negatives", 0.2)(queries, shared, 0.5)
    logits = queries.numpy() @ vectors.numpy().T / 0.5
    partition = np.log(np.exp(logits).sum(axis=1))
    wanted = partition - 0.8 * logits[range(3), range(3)] - 0.2 * logits.mean(axis=1)
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)


class TestSharedDraws:
    FREQUENCY = np.array([0.0, 0.5, 0.3, 0.2, 0.0])
    COMPETING = tf.constant([1, 2, 3], tf.int64)

    def test_expected_times(self):
        draws = SharedDraws(self.COMPETING, self.FREQUENCY, 6)
        found = draws.expected(tf.constant([1, 3], tf.int64), 10)
        np.testing.assert_allclose(found, [10 * 0.5 + 6 / 3, 10 * 0.2 + 6 / 3], rtol=1e-6)
        in_batch = SharedDraws(self.COMPETING, self.FREQUENCY, 0)
        found = in_batch.expected(tf.constant([1, 4], tf.int64), 10)
        np.testing.assert_allclose(found, [5.0, 1e-5], rtol=1e-5)

    def test_targets_come_first_and_uniform_draws_compete(self):
        targets = tf.constant([4, 4], tf.int64)
        drawn = SharedDraws(self.COMPETING, self.FREQUENCY, 300).draw(targets).numpy()
        assert drawn[:2].tolist() == [4, 4] and len(drawn) == 302
        counts = np.bincount(drawn[2:], minlength=5)
        assert not counts[[0, 4]].any() and counts[1:4].min() > 60
        in_batch = SharedDraws(self.COMPETING, self.FREQUENCY, 0)
        assert in_batch.draw(targets).numpy().tolist() == [4, 4]


def test_hard_negatives_are_the_nearest_items_that_compete_and_are_not_had():
    vectors = tf.constant([[9.0], [1.0], [5.0], [4.0], [3.0], [2.0]])
    queries = tf.constant([[1.0], [-1.0]])
    competing = tf.constant([1, 3, 4, 5], tf.int64)
    own = tf.constant([[3, 0], [1, 5]], tf.int64)
    found = hard_negatives(queries, vectors, competing, own, 2)
    assert found.items.numpy().tolist() == [[4, 5], [4, 3]]
    np.testing.assert_allclose(found.vectors[..., 0], [[3, 2], [3, 4]])
    few = hard_negatives(queries, vectors, competing, own, 9)
    assert few.items.numpy().tolist() == [[4, 5, 1, 0, 0, 0, 0, 0, 0], [4, 3, 0, 0, 0, 0, 0, 0, 0]]


def test_the_batch_passes_on_the_gradient_of_what_is_remembered():
    """Items 2 and 3, remembered as they are now, push as hard as if both were in the batch twice.

    The true item is 1; each of the others is drawn once and remembered once.
    """
    queries, values = tf.constant([[1.0, 0.5]]), [[0.3, 0.1], [0.2, -0.4], [-0.5, 0.6]]
    items, softmax = tf.constant([1, 2, 3], tf.int64), SampledSoftmax("negatives")
    drawn, twice = tf.Variable(values), tf.Variable(values)
    with tf.GradientTape(persistent=True) as tape:
        passed = CrossBatchMemory.pass_on(drawn, tf.constant([5.0, 2.0, 2.0]))
        shared = tf.concat([passed, tf.stop_gradient(drawn[1:])], axis=0)
        ids = tf.concat([items, items[1:]], axis=0)
        found = softmax(queries, Candidates(ids, drawn[:1], shared, tf.fill([5], 2.0)), 1.0)
        shared = tf.concat([twice, twice[1:]], axis=0)
        wanted = softmax(queries, Candidates(ids, twice[:1], shared, tf.fill([5], 2.0)), 1.0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    gradients = tape.gradient(found, drawn), tape.gradient(wanted, twice)
    np.testing.assert_allclose(*map(tf.convert_to_tensor, gradients), rtol=1e-5)


def test_memory_is_a_ring():
    memory = CrossBatchMemory(3, 1)
    assert int(memory.filled) == 0 and not memory.read()[0].numpy().any()
    steps = [([1, 2], [1, 2, 0]), ([3, 4], [4, 2, 3]), ([5, 6, 7, 8], [8, 6, 7])]
    for items, remembered in steps:
        memory.write(tf.constant(items, tf.int64), 10.0 * tf.constant(items, tf.float32)[:, None])
        held, vectors = memory.read()
        assert sorted(held.numpy()) == sorted(remembered)
        np.testing.assert_allclose(vectors[:, 0], 10.0 * held.numpy())
    assert int(memory.filled) == 3
