import math

import numpy as np
import pytest

from tfrec.evaluation.lists import (
    coverage,
    exposure,
    gini,
    intra_list_diversity,
    novelty,
    self_information,
    top_lists,
)

INF = np.inf


def test_top_lists_hold_the_best_items_best_first():
    scores = np.array([[9, 0.1, 0.5, 0.3, 0.4]], dtype=np.float32)
    assert top_lists(scores, 3).tolist() == [[2, 4, 3]]


def test_column_0_is_never_shown():
    assert top_lists(np.array([[9.0, 1.0]]), 2).tolist() == [[1, 0]]


def test_ties_go_to_the_lower_index():
    scores = np.array([[0, 5, 7, 5, 5, 1]], dtype=np.float32)
    assert top_lists(scores, 3).tolist() == [[2, 1, 3]]
    assert top_lists(np.zeros((2, 6)), 3).tolist() == [[1, 2, 3]] * 2


def test_items_at_minus_infinity_leave_places_empty():
    scores = np.array([[0, -INF, 3, -INF, 4], [0, -INF, -INF, -INF, -INF]], dtype=np.float32)
    assert top_lists(scores, 3).tolist() == [[4, 2, 0], [0, 0, 0]]


def test_lists_longer_than_the_catalogue_are_padded():
    assert top_lists(np.array([[0, 1, 2.0]]), 5).tolist() == [[2, 1, 0, 0, 0]]


def test_top_lists_are_those_of_a_plain_sort_on_random_scores_with_ties():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 9, (40, 31)).astype(np.float32)
    for row, shown in zip(scores, top_lists(scores, 7), strict=True):
        assert shown.tolist() == sorted(range(1, 31), key=lambda j: (-row[j], j))[:7]


LISTS = np.array([[1, 2], [2, 4]])


def test_exposure_counts_places():
    assert exposure(np.array([[1, 2], [2, 0]]), 3).tolist() == [1, 2, 0]


def test_coverage_is_the_share_of_items_shown():
    assert coverage(LISTS, 4) == pytest.approx(3 / 4)
    assert coverage(LISTS, 10) == pytest.approx(3 / 10)


def test_gini_by_hand():
    # Exposures 0, 1, 1, 2 with weights -3, -1, 1, 3: (-1 + 1 + 6) / (4 places x 3).
    assert gini(LISTS, 4) == pytest.approx(6 / 12)


def test_gini_of_equal_and_of_concentrated_exposure():
    assert gini(np.array([[1, 2], [3, 4]]), 4) == pytest.approx(0)
    assert gini(np.array([[3], [3]]), 4) == pytest.approx(1)
    assert gini(np.array([[1]]), 1) == 0
    assert math.isnan(gini(np.array([[0, 0]]), 4))


# Three events and one: with one added to each, shares 4/8, 2/8, 1/8, 1/8.
TRAIN_EVENTS = np.array([3, 1, 0, 0])


def test_self_information_is_in_bits():
    assert self_information(TRAIN_EVENTS).tolist() == pytest.approx([1, 2, 3, 3])


def test_novelty_is_the_mean_over_the_items_shown():
    values = novelty(np.array([[1, 2], [3, 0], [0, 0]]), TRAIN_EVENTS)
    assert values[:2].tolist() == pytest.approx([3 / 2, 3])
    assert math.isnan(values[2])


def test_diversity_is_the_mean_cosine_distance_of_pairs():
    vectors = np.array([[1.0, 0], [2, 0], [0, 3], [-1, 0], [0, 0]])
    lists = np.array([[1, 2, 0], [1, 3, 0], [1, 2, 3], [1, 4, 0], [1, 5, 0], [1, 0, 0]])
    values = intra_list_diversity(lists, vectors)
    assert values[:5].tolist() == pytest.approx([0, 1, 2 / 3, 2, 1])
    assert math.isnan(values[5])


def test_diversity_of_many_lists_is_that_of_each(monkeypatch):
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(20, 5)).astype(np.float32)
    lists = generator.integers(1, 21, (9, 4))
    whole = intra_list_diversity(lists, vectors)
    monkeypatch.setattr("tfrec.evaluation.lists._CELLS_AT_ONCE", 1)
    assert intra_list_diversity(lists, vectors).tolist() == pytest.approx(whole.tolist())
