"""The statistics of A/B tests on simulated shoppers whose truth is known."""

import math

import numpy as np
import pytest

from tfrec.monitoring.experiment.estimates import compare, linearised_ratio, sample_ratio_p_value

SIMULATIONS = 600
SHOPPERS = 400
LIFT = 0.1


def shoppers(random, lift=0.0):
    """Returns purchases before and during a test, impressions and clicks of one group.

    Shoppers differ much more than chance would have it, in how much they buy and look.
    """
    keen = random.gamma(1.0, 2.0, SHOPPERS)
    before = random.poisson(keen)
    after = random.poisson(keen * (1 + lift))
    impressions = random.poisson(5 + 10 * random.gamma(0.5, 2.0, SHOPPERS))
    rate = random.beta(2, 8, SHOPPERS)
    clicks = random.binomial(impressions, np.minimum(rate * (1 + lift), 1.0))
    return (
        before.astype(float),
        after.astype(float),
        impressions.astype(float),
        clicks.astype(float),
    )


def simulate(lift, measure):
    random = np.random.default_rng(11)
    return [measure(shoppers(random), shoppers(random, lift)) for _ in range(SIMULATIONS)]


def of_purchases(a, b):
    return compare(a[1], b[1])


def with_cuped(a, b):
    return compare(a[1], b[1], a[0][:, None], b[0][:, None])


def of_click_rate(a, b):
    return compare(linearised_ratio(a[3], a[2]), linearised_ratio(b[3], b[2]))


MEASURES = pytest.mark.parametrize("measure", [of_purchases, with_cuped, of_click_rate])


class TestSimulations:
    @MEASURES
    def test_intervals_hold_the_truth_as_often_as_they_say(self, measure):
        found = simulate(LIFT, measure)
        held = np.mean([difference.low <= LIFT <= difference.high for difference in found])
        assert 0.925 < held < 0.975
        assert np.mean([d.relative for d in found]) == pytest.approx(LIFT, abs=0.02)

    @MEASURES
    def test_two_groups_that_are_alike_differ_once_in_twenty_times(self, measure):
        found = simulate(0.0, measure)
        assert 0.025 < np.mean([difference.p_value < 0.05 for difference in found]) < 0.075

    def test_counting_impressions_as_shoppers_would_not_be_so_good(self):
        """What the delta method is for: a binomial test errs far more often than it says."""
        random = np.random.default_rng(11)
        wrong = 0
        for _ in range(SIMULATIONS):
            a, b = shoppers(random), shoppers(random)
            shown, clicks = (a[2].sum(), b[2].sum()), (a[3].sum(), b[3].sum())
            rate = sum(clicks) / sum(shown)
            error = math.sqrt(rate * (1 - rate) * (1 / shown[0] + 1 / shown[1]))
            wrong += abs(clicks[0] / shown[0] - clicks[1] / shown[1]) > 1.96 * error
        assert wrong / SIMULATIONS > 0.1

    def test_covariates_take_variance_away(self):
        with_, without = simulate(LIFT, with_cuped), simulate(LIFT, of_purchases)
        assert np.mean([d.variance_left for d in with_]) < 0.7
        assert {d.variance_left for d in without} == {1.0}
        found = [np.mean([d.p_value < 0.05 for d in many]) for many in (with_, without)]
        assert found[0] > 1.3 * found[1]

    def test_what_is_detectable_is_found_four_times_out_of_five(self):
        random = np.random.default_rng(5)
        lift = compare(*(shoppers(random)[1] for _ in range(2))).detectable
        found = np.mean([difference.p_value < 0.05 for difference in simulate(lift, of_purchases)])
        assert 0.7 < found < 0.9


class TestByHand:
    def test_means_and_relative_difference(self):
        found = compare(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
        assert (found.a, found.b, found.relative) == (2.0, 3.0, 0.5)
        # Var(mean) is 1 in both: 1 / 4 + 9 / 16 of relative variance.
        half = 1.959964 * math.sqrt(1 / 4 + 9 / 16)
        assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
        assert found.p_value == pytest.approx(0.4795, abs=1e-4)  # z = 1 / sqrt(2)

    def test_a_ratio_is_that_of_the_sums(self):
        values = linearised_ratio(np.array([1.0, 0.0, 5.0]), np.array([1.0, 4.0, 5.0]))
        assert values.mean() == pytest.approx(6 / 10)

    def test_a_ratio_of_nothing_is_no_number(self):
        assert np.isnan(linearised_ratio(np.zeros(3), np.zeros(3))).all()

    def test_a_covariate_that_says_all_leaves_the_effect(self):
        past = np.arange(10.0)[:, None]
        found = compare(past[:, 0], past[:, 0] + 1.0, past, past)
        assert (found.b - found.a, found.variance_left) == pytest.approx((1.0, 0.0), abs=1e-9)

    def test_a_covariate_that_is_the_same_for_all_changes_nothing(self):
        a, b = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 5.0])
        assert compare(a, b, np.ones((3, 1)), np.ones((3, 1))) == compare(a, b)

    def test_too_few_and_nothing(self):
        assert math.isnan(compare(np.array([1.0]), np.array([1.0, 2.0])).p_value)
        nothing = compare(np.zeros(5), np.zeros(5))
        assert math.isnan(nothing.p_value) and math.isnan(nothing.relative)

    def test_from_nothing_to_something(self):
        found = compare(np.zeros(50), np.array([0.0, 1.0] * 25))
        assert found.p_value < 0.001 and math.isnan(found.relative)

    def test_sample_ratio(self):
        # (50 - 60)^2 / 60 * 2 = 3.33 with one degree of freedom.
        assert sample_ratio_p_value(50, 70) == pytest.approx(0.0679, abs=1e-4)
        assert sample_ratio_p_value(900, 100, 0.1) == pytest.approx(1.0)
        assert math.isnan(sample_ratio_p_value(0, 0))
