"""The chances of places are those of the display order's own chance."""

import numpy as np
import pytest

from tfrec.feedback.exploration import BELOW, place_chances, ranks_of, shown_chances
from tfrec.feedback.simulation import explored_order


def test_worked_by_hand():
    # Two places of three items, each left to chance half the time. First place: 1/2 + 1/6 and 1/6.
    # The best comes second if it was not first (1/3), and then by 1/2 + 1/4; and so on.
    expected = [[2 / 3, 1 / 4], [1 / 6, 2 / 3 * 3 / 4 + 1 / 6 * 1 / 4], [1 / 6, 5 / 24]]
    np.testing.assert_allclose(place_chances(3, 2, 0.5), expected)


def test_without_exploration_every_item_has_its_place():
    np.testing.assert_array_equal(place_chances(4, 3, 0.0), np.eye(4, 3))


@pytest.mark.parametrize(("depth", "places", "share"), [(5, 5, 0.3), (100, 20, 0.05), (7, 3, 0.99)])
def test_every_place_holds_one_item(depth, places, share):
    chances = place_chances(depth, places, share)
    np.testing.assert_allclose(chances.sum(axis=0), 1.0)
    assert (chances > 0).all() and (chances.sum(axis=1) <= 1 + 1e-12).all()
    if depth == places:
        np.testing.assert_allclose(chances.sum(axis=1), 1.0)


def test_chances_are_how_often_it_happens():
    lists, share = 40_000, 0.4
    scores = np.tile(-np.arange(6.0), (lists, 1))
    order = explored_order(scores, 3, share, np.random.default_rng(0))
    often = [[np.mean(order[:, place] == rank) for place in range(3)] for rank in range(6)]
    # Three standard errors.
    np.testing.assert_allclose(often, place_chances(6, 3, share), atol=3 * 0.5 / lists**0.5)


@pytest.mark.parametrize(
    ("scores", "places", "ranks"),
    [
        ([0.9, 0.5, 0.3], 3, [0, 1, 2]),
        ([0.9, 0.9, 0.3], 3, [0, 1, 2]),
        # 0.5 stands before 0.9 by chance; that 0.3 was best of what is left bounds its rank.
        ([0.5, 0.9, 0.3, 0.2], 4, [1, 0, 2, 3]),
        # 0.1 came by chance from anywhere below 0.3.
        ([0.1, 0.9, 0.3, 0.2], 4, [BELOW, 0, 1, 2]),
        # Chance may have put 0.3 last, and then nothing says how far below 0.9 the 0.4 is ...
        ([0.4, 0.9, 0.3], 3, [BELOW, 0, 2]),
        # ... unless the last place was none for chance.
        ([0.4, 0.9, 0.3], 2, [1, 0, 2]),
        ([0.4], 1, [0]),
        ([], 1, []),
    ],
)
def test_ranks(scores, places, ranks):
    assert ranks_of(np.array(scores), places).tolist() == ranks


def test_ranks_on_a_short_list_are_those_among_all():
    scores = np.random.default_rng(0).random((300, 30))
    order = explored_order(scores, 8, 0.3, np.random.default_rng(1))[:, :9]
    among_all = np.argsort(np.argsort(-scores, axis=1), axis=1)
    true = np.take_along_axis(among_all, order, axis=1)
    shown = np.take_along_axis(scores, order, axis=1)
    found = np.array([ranks_of(row, places=8) for row in shown])
    known = found < BELOW
    assert (found == true)[known].all()
    assert 0.7 < known.mean() < 1 and true[~known].mean() > 15


def test_chances_of_a_served_list():
    # Shown: the third best by chance, then the best, then the rest.
    scores, chances = np.array([0.3, 0.9, 0.5, 0.2, 0.1]), place_chances(10, 2, 0.1)
    found = shown_chances(scores, depth=10, places=2, share=0.1)
    np.testing.assert_allclose(found, [chances[2, 0], chances[0, 1], 1, 1, 1])
