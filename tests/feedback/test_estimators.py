"""Off-policy estimates: by hand, beside another library, and on simulated logs with known truth."""

import math

import numpy as np
import pytest
from estimators.bandits import gaussian, ips, snips

from benchmarks.off_policy import simulated_comparison
from tfrec.feedback.estimators import (
    DIRECT,
    DOUBLY_ROBUST,
    IPS,
    LOGGED,
    NAIVE,
    SNIPS,
    LoggedPlaces,
    cross_fitted,
    estimates,
    support,
)

# Two shoppers with a list of two places each, of which the second is looked at half the time.
PLACES = LoggedPlaces(
    shopper=np.array([0, 1]),
    owner=np.array([0, 0, 1, 1]),
    looks=np.array([1.0, 0.5, 1.0, 0.5]),
    logged=np.array([0.8, 0.5, 0.4, 0.5]),
    new=np.array([0.4, 1.0, 1.0, 0.0]),
    total=1.5,
    places=2,
)
WEIGHTS = [0.5, 2.0, 2.5, 0.0]
REWARD = np.array([1.0, 0.0, 1.0, 1.0])


def test_worked_by_hand():
    np.testing.assert_allclose(PLACES.weights, WEIGHTS)
    liking, direct = np.array([0.5, 0.2, 0.6, 0.1]), np.array([0.7, 0.9])
    found = estimates(PLACES, REWARD, liking, direct)
    assert found[LOGGED].value == pytest.approx(3 / 4)
    assert found[NAIVE].value == pytest.approx(2 / 3)
    assert found[DIRECT].value == pytest.approx((0.7 + 0.9) / 4)
    assert found[IPS].value == pytest.approx((0.5 + 2.5) / 4)
    # Weighted looks: 0.5 + 2 * 0.5 + 2.5.
    assert found[SNIPS].value == pytest.approx(1.5 * 3.0 / 4.0 / 2)
    residuals = 0.5 * (1 - 0.5) + 2.0 * (0 - 0.1) + 2.5 * (1 - 0.6)
    assert found[DOUBLY_ROBUST].value == pytest.approx((0.7 + 0.9 + residuals) / 4)
    # Per place, the two shoppers have 0.25 and 1.25.
    half = 1.959964 * math.sqrt(0.5) / math.sqrt(2)
    assert found[IPS].low == pytest.approx(0.75 - half, abs=1e-5)
    assert found[IPS].change == pytest.approx(0.0, abs=1e-12)
    # The logged policy earned them 0.5 and 1: differences of -0.25 and 0.25.
    assert found[IPS].change_high == pytest.approx(1.959964 * 0.25, abs=1e-5)


def test_support_worked_by_hand():
    told = support(PLACES)
    # A list's weighted looks: 0.5 + 1 and 2.5.
    assert told.effective_lists == pytest.approx(4.0**2 / (1.5**2 + 2.5**2))
    assert told.covered == pytest.approx(4.0 / 2 / 1.5)
    assert (told.lists, told.clipped, told.largest) == (2, 0.0, 2.5)


def test_weights_are_clipped():
    clipped = LoggedPlaces(**{**vars(PLACES), "most_weight": 2.0})
    np.testing.assert_allclose(clipped.weights, [0.5, 2.0, 2.0, 0.0])
    assert support(clipped).clipped == 0.25


def test_lists_of_one_place_are_what_another_library_says():
    random = np.random.default_rng(0)
    count = 200
    logged, new = random.uniform(0.1, 1.0, count), random.uniform(0.0, 1.0, count)
    reward = (random.random(count) < 0.3).astype(float)
    ones = np.ones(count)
    single = LoggedPlaces(np.arange(count), np.arange(count), ones, logged, new, 1.0, 1)
    found = estimates(single, reward, 0 * ones, 0 * ones)
    others = ips.Estimator(), snips.Estimator(), gaussian.Interval()
    for row in range(count):
        for other in others:
            other.add_example(logged[row], reward[row], new[row])
    assert found[IPS].value == pytest.approx(others[0].get())
    assert found[SNIPS].value == pytest.approx(others[1].get())
    assert [found[IPS].low, found[IPS].high] == pytest.approx(others[2].get())
    assert found[DOUBLY_ROBUST].value == pytest.approx(others[0].get()), "a model that says 0"


def test_a_right_model_of_rewards_makes_up_for_wrong_propensities():
    liking, direct = np.array([0.5, 0.2, 0.6, 0.1]), np.array([0.7, 0.9])
    for wrong in (0.1, 1.0, 7.0):
        places = LoggedPlaces(**{**vars(PLACES), "logged": wrong * PLACES.logged**2})
        found = estimates(places, PLACES.looks * liking, liking, direct)
        assert found[DOUBLY_ROBUST].value == pytest.approx(found[DIRECT].value)


def test_a_shopper_is_predicted_by_others_only():
    places = LoggedPlaces(
        np.arange(10), np.arange(10), np.ones(10), np.ones(10), np.ones(10), 1.0, 1
    )
    reward = np.zeros(10)
    reward[:5] = 1.0
    liking, new = cross_fitted(places, reward, np.arange(10.0), np.arange(10.0)[:, None])
    np.testing.assert_array_equal(liking[:, None], new)
    alone = reward.copy()
    alone[0] = 100.0
    changed, _ = cross_fitted(places, alone, np.arange(10.0), np.arange(10.0)[:, None])
    assert changed[0] == liking[0] and changed[1] != liking[1]


def test_the_truth_lies_in_the_intervals_and_the_naive_estimate_is_biased():
    """Forty logs of a shop; a 95 % interval should miss two of them."""
    found = [simulated_comparison(lists=600, seed=seed) for seed in range(40)]
    truth = np.array([each.truth for each in found])

    def errors(name):
        return np.array([each.estimates[name].value for each in found]) - truth

    for name in (IPS, SNIPS, DOUBLY_ROBUST):
        hits = [
            each.estimates[name].low <= each.truth <= each.estimates[name].high for each in found
        ]
        assert np.mean(hits) >= 0.88, name
        # The mean of forty errors is within three of its standard errors of zero.
        spread = errors(name).std(ddof=1) / np.sqrt(40)
        assert abs(errors(name).mean()) < 3 * spread, name
    # Unweighted means take what the logged policy put first for what shoppers like.
    assert abs(errors(NAIVE).mean()) > 5 * errors(NAIVE).std(ddof=1) / np.sqrt(40)
    assert abs(errors(NAIVE).mean()) > 0.05 * truth.mean()


@pytest.mark.parametrize(
    ("share", "new_share", "count"),
    [(0.3, 0.0, 8), (0.3, 0.3, 20), (0.3, 0.1, 8)],
)
def test_logs_of_what_was_shown_alone_and_policies_that_explore(share, new_share, count):
    """One long log each: the chances account for what is shown, and the truth is in reach."""
    found = simulated_comparison(3000, seed=3, share=share, new_share=new_share, count=count)
    assert found.support.covered == pytest.approx(1.0, abs=0.07)
    for name in (IPS, SNIPS, DOUBLY_ROBUST):
        estimate = found.estimates[name]
        assert estimate.value == pytest.approx(found.truth, rel=0.1), name
