"""MMR and the DPP against hand-worked values and against plain, slow definitions."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.rerank.caps import Caps
from tfrec.rerank.diversity import (
    ByRelevance,
    DeterminantalPointProcess,
    MaximalMarginalRelevance,
    likeness,
)
from tfrec.rerank.greedy import choose

# Items 0 and 1 are the same but for a hair, item 2 is another thing, item 3 between.
VECTORS = np.array([[[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]], np.float32)
RELEVANCE = np.array([[1.0, 0.9, 0.5, 0.6]], np.float32)


def picks(criterion, relevance=RELEVANCE, vectors=VECTORS, steps=4, present=None, **rules):
    relevance = tf.constant(relevance)
    present = tf.ones_like(relevance, tf.bool) if present is None else tf.constant(present)
    return choose(
        relevance, likeness(tf.constant(vectors)), present, criterion, steps, **rules
    )  # fmt: skip


def shop(seed=0, batch=3, count=30, dimension=16):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(batch, count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return random.random((batch, count), np.float32), vectors


def test_likeness_is_1_for_the_same_and_0_for_the_opposite():
    expected = [[1, 1, 0, 0.5], [1, 1, 0, 0.5], [0, 0, 1, 0.5], [0.5, 0.5, 0.5, 1]]
    np.testing.assert_allclose(likeness(tf.constant(VECTORS))[0], expected, atol=1e-6)


def test_without_diversity_the_most_relevant_come_first():
    assert picks(ByRelevance())[0].numpy().tolist() == [[0, 1, 3, 2]]
    assert picks(MaximalMarginalRelevance(0.0))[0].numpy().tolist() == [[0, 1, 3, 2]]


def test_mmr_by_hand():
    """Half and half, after item 0: 1 has .9 - 1, 2 has .5 - 0, 3 has .6 - .5 (halved all)."""
    chosen, broken = picks(MaximalMarginalRelevance(0.5))
    # After items 0 and 2: 1 has .9 - 1, 3 has .6 - .5.
    assert chosen.numpy().tolist() == [[0, 2, 3, 1]]
    assert not broken.numpy().any()


def test_dpp_by_hand():
    """After item 0, log d^2 is -14 for its double, 0 for its opposite, log 3/4 for item 3."""
    chosen, _ = picks(DeterminantalPointProcess(0.5))
    # 2: .5 + 0; 3: .6 - .29. Then 3 has .6 + log(1 - 1/4 - 1/4), the double nothing.
    assert chosen.numpy().tolist() == [[0, 2, 3, 1]]
    # With a tenth for diversity 3 has .54 - .029, 2 has .45, and the double .81 - 1.38.
    chosen, _ = picks(DeterminantalPointProcess(0.1))
    assert chosen.numpy().tolist() == [[0, 3, 2, 1]]


@pytest.mark.parametrize("diversity", [0.1, 0.5, 0.9])
def test_mmr_follows_its_definition(diversity):
    relevance, vectors = shop()
    chosen = picks(MaximalMarginalRelevance(diversity), relevance, vectors, 12)[0].numpy()
    alike = 0.5 + 0.5 * vectors @ vectors.transpose(0, 2, 1)
    for row in range(3):
        done: list[int] = []
        for _ in range(12):
            nearest = alike[row][:, done].max(axis=1) if done else np.zeros(30)
            gain = (1 - diversity) * relevance[row] - diversity * nearest
            gain[done] = -np.inf
            done.append(int(gain.argmax()))
        assert chosen[row].tolist() == done


@pytest.mark.parametrize("diversity", [0.1, 0.5, 0.9])
def test_dpp_chooses_what_adds_most_to_the_determinant(diversity):
    """Each choice against the log-determinants of all larger kernels, computed from scratch."""
    relevance, vectors = shop(seed=1)
    chosen = picks(DeterminantalPointProcess(diversity), relevance, vectors, 12)[0].numpy()
    alike = (0.5 + 0.5 * vectors @ vectors.transpose(0, 2, 1)).astype(np.float64)
    power = (1 - diversity) / (2 * diversity)
    for row in range(3):
        quality = np.exp(power * relevance[row].astype(np.float64))
        kernel = quality[:, None] * alike[row] * quality
        done: list[int] = []
        for _ in range(12):
            left = [item for item in range(30) if item not in done]
            grown = [np.linalg.slogdet(kernel[np.ix_([*done, i], [*done, i])])[1] for i in left]
            done.append(left[int(np.argmax(grown))])
        assert chosen[row].tolist() == done


@pytest.mark.parametrize(
    "criterion", [MaximalMarginalRelevance(0.4), DeterminantalPointProcess(0.4)]
)
def test_doubles_and_more_places_than_directions_do_no_harm(criterion):
    """Ten copies of three vectors: nothing new is left after the third choice."""
    vectors = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)[np.newaxis]
    relevance = np.linspace(1, 0.8, 30, dtype=np.float32)[np.newaxis]
    chosen = picks(criterion, relevance, vectors, 30)[0].numpy()[0]
    assert sorted(chosen) == list(range(30))
    assert sorted(chosen[:3] // 10) == [0, 1, 2]


def test_columns_without_an_item_come_last():
    present = [[False, True, True, True]]
    chosen, _ = picks(MaximalMarginalRelevance(0.5), present=present)
    assert chosen.numpy().tolist() == [[1, 2, 3, 0]]


def test_a_row_alone_is_chosen_as_in_a_batch():
    relevance, vectors = shop(seed=2)
    together = picks(DeterminantalPointProcess(0.5), relevance, vectors, 10)[0].numpy()
    for row in range(3):
        one = slice(row, row + 1)
        alone = picks(DeterminantalPointProcess(0.5), relevance[one], vectors[one], 10)[0]
        assert alone.numpy()[0].tolist() == together[row].tolist()


def caps(limits, **values):
    return Caps({column: tf.constant(rows) for column, rows in values.items()}, limits)


def test_a_cap_passes_over_a_full_brand_and_fills_up_with_the_next_best():
    chosen, broken = picks(ByRelevance(), caps=caps({"brand": 1}, brand=[[[7], [7], [7], [2]]]))
    # 0 takes brand 7, 3 is of another; then both that are left are over the cap, best first.
    assert chosen.numpy().tolist() == [[0, 3, 1, 2]]
    assert broken.numpy().tolist() == [[False, False, True, True]]


def test_items_without_a_brand_are_under_no_cap():
    chosen, broken = picks(ByRelevance(), caps=caps({"brand": 1}, brand=[[[0]] * 4]))
    assert chosen.numpy().tolist() == [[0, 1, 3, 2]] and not broken.numpy().any()


def test_an_item_with_several_categories_is_over_a_cap_if_one_is_full():
    categories = [[[1, 2], [2, 3], [3, 0], [4, 0]]]
    chosen, broken = picks(ByRelevance(), caps=caps({"categories": 1}, categories=categories))
    assert chosen.numpy().tolist() == [[0, 3, 2, 1]]
    assert broken.numpy().tolist() == [[False, False, False, True]]


def test_columns_with_equal_numbers_are_counted_apart():
    """Brand 1 of item 0 is not category 1 of item 1."""
    rules = caps(
        {"brand": 1, "categories": 2},
        brand=[[[1], [0], [1], [0]]],
        categories=[[[0], [1], [0], [1]]],
    )
    chosen, broken = picks(ByRelevance(), caps=rules)
    assert chosen.numpy().tolist() == [[0, 1, 3, 2]]
    assert broken.numpy().tolist() == [[False, False, False, True]]
