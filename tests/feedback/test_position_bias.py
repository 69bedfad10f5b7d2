"""The chances that places are looked at, found again in simulated clicks."""

import numpy as np
import pytest

from tfrec.feedback.position_bias import estimate_examination, score_groups
from tfrec.feedback.simulation import simulate

TRUE = 1.0 / np.arange(1, 9)


def test_worked_by_hand():
    # Group 0 at both places, 40 of 100 and 10 of 50 clicked: half as often looked at. Group 1,
    # which stands at the second place only, adds clicks and nothing to the comparison.
    positions = np.repeat([1, 2, 2], [100, 50, 200])
    groups = np.repeat([0, 0, 1], [100, 50, 200])
    clicked = np.concatenate([np.arange(100) < 40, np.arange(50) < 10, np.arange(200) < 90])
    found = estimate_examination(positions, clicked, groups)
    np.testing.assert_allclose(found.chances, [1.0, 0.5], rtol=1e-6)
    assert (found.shown.tolist(), found.clicked.tolist()) == ([100, 250], [40, 100])


def simulated(lists=15_000, share=0.0, examination=TRUE, seed=0):
    """Clicks on lists of a model that knows tastes roughly, flat over all places."""
    random = np.random.default_rng(seed)
    attraction = random.beta(1, 4, size=(lists, 20))
    scores = attraction + random.normal(0, 0.1, attraction.shape)
    log = simulate(attraction, scores, examination, share=share, random=random)
    places = len(examination)
    positions = np.tile(np.arange(1, places + 1), lists)
    return positions, log.clicks.ravel(), log.scores[:, :places].ravel()


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_a_known_bias_is_found_where_click_rates_mistake_it(share):
    positions, clicked, scores = simulated(share=share)
    groups = score_groups(scores, clicked, np.zeros(len(scores)))
    found = estimate_examination(positions, clicked, groups)
    np.testing.assert_allclose(found.chances, TRUE, rtol=0.12)
    rates = found.clicked / found.shown
    # What stands first is better, too: click rates fall far more steeply than attention.
    assert rates[-1] / rates[0] < 0.6 * TRUE[-1]


def test_a_place_in_the_middle_may_be_looked_at_most():
    middle = np.array([0.4, 1.0, 0.6, 0.2])
    positions, clicked, scores = simulated(examination=middle, share=0.1)
    groups = score_groups(scores, clicked, np.zeros(len(scores)))
    found = estimate_examination(positions, clicked, groups, falling=False)
    np.testing.assert_allclose(found.chances, middle / 0.4, rtol=0.12)
    fallen = estimate_examination(positions, clicked, groups)
    assert (np.diff(fallen.chances) <= 0).all()


def test_places_that_nothing_links_with_the_first_are_not_known():
    positions, groups = np.repeat([1, 2, 3], 10), np.repeat([0, 1, 0], 10)
    clicked = np.tile(np.arange(10) < 4, 3)
    found = estimate_examination(positions, clicked, groups)
    assert found.known.tolist() == [True, False, True]
    np.testing.assert_allclose(found.chances, [1.0, 1.0, 1.0])


def test_a_place_without_a_click_takes_the_chance_of_the_one_before():
    positions = np.repeat([1, 2, 3], 10)
    clicked = np.concatenate([np.arange(10) < 8, np.arange(10) < 2, np.zeros(10, bool)])
    found = estimate_examination(positions, clicked, np.zeros(30, int))
    assert found.known.tolist() == [True, True, False]
    np.testing.assert_allclose(found.chances, [1.0, 0.25, 0.25])
    assert found.at([1, 2, 3, 9]).tolist() == pytest.approx([1.0, 0.25, 0.25, 0.25])


def test_groups_are_of_one_version_and_as_narrow_as_clicks_allow():
    scores = np.tile(np.arange(100.0), 2)
    clicked = np.ones(200, bool)
    groups = score_groups(scores, clicked, np.repeat([3, 5], 100))
    assert len(np.unique(groups)) == 10  # a hundred clicks of each version, twenty a group
    assert not set(groups[:100]) & set(groups[100:])
    assert (np.diff(groups[:100]) >= 0).all()
    assert set(score_groups(scores, np.zeros(200, bool), np.zeros(200))) == {0}


def test_nothing_shown():
    with pytest.raises(ValueError, match="empty"):
        estimate_examination(np.zeros(0), np.zeros(0), np.zeros(0))
