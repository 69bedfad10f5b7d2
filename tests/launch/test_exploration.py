import numpy as np
import pytest

from benchmarks.launch_exploration import POLICIES, simulate
from tfrec.launch.exploration import Beliefs, shared_out, thompson
from tfrec.launch.graduation import graduated, learned_share
from tfrec.launch.model import Forecast


def forecast(median, factor):
    median = np.asarray(median, float)
    return Forecast(median, median / factor, median * factor, np.ones(len(median)))


def test_a_forecast_becomes_a_belief_of_the_same_mean_and_width():
    sigma = 0.5
    wide = forecast([20.0], np.exp(1.2816 * sigma))
    beliefs = Beliefs.from_forecast(wide, 1000)
    assert beliefs.mean[0] == pytest.approx(20 * np.exp(sigma**2 / 2) / 1000)
    # The squared coefficient of variation of a Gamma distribution is one over its shape.
    assert 1 / beliefs.shape[0] == pytest.approx(np.expm1(sigma**2))


def test_evidence_outweighs_the_forecast():
    beliefs = Beliefs.from_forecast(forecast([20.0, 2.0], 2.0), 1000)
    later = beliefs.after(np.array([10_000, 10_000]), np.array([20, 200]))
    assert later.mean[0] < later.mean[1] == pytest.approx(0.02, rel=0.1)
    before, after = (np.subtract(*each.interval()[::-1]) for each in (beliefs, later))
    assert after[0] < before[0]


def test_the_quota_goes_where_the_best_may_be():
    sure = Beliefs(np.array([1e6, 1e6, 2.0]), np.array([1e8, 2e8, 200.0]))
    shown = thompson(sure, 1000, np.random.default_rng(0))
    # The first beats the second for certain; the third, of the same mean as the first, may be best.
    assert shown.sum() == 1000 and shown[1] == 0
    assert 250 < shown[2] < 750


def test_whole_impressions_add_up():
    assert shared_out(np.array([1.0, 1.0, 1.0]), 5).tolist() == [2, 2, 1]
    assert shared_out(np.array([0.0, 3.0]), 7).tolist() == [0, 7]


def test_exploration_finds_what_no_exploration_does_not():
    outcome = np.concatenate([np.full(20, 100.0), np.full(80, 10.0)])
    blind = forecast(np.full(100, 20.0), 3.0)
    policies = {policy.name: policy for policy in POLICIES}
    found = {
        name: simulate(policies[name], blind, outcome, 1500, seed=1)[0]
        for name in ("no exploration, forecast", "Thompson, forecast")
    }
    assert found["Thompson, forecast"][7] > 0.8
    assert found["no exploration, forecast"][7] < 0.5


def test_a_product_graduates_with_its_buyers():
    assert learned_share(np.array([0, 10, 30]), halfway=10).tolist() == [0, 0.5, 0.75]
    text, learned = np.array([[2.0, 0.0]] * 2), np.array([[0.0, 5.0]] * 2)
    mixed = graduated(text, learned, np.array([0, 10]), halfway=10)
    np.testing.assert_allclose(mixed, [[1, 0], [2**-0.5, 2**-0.5]])


@pytest.mark.parametrize("call", [
    lambda: Beliefs.from_forecast(forecast([1.0], 2.0), 0),
    lambda: learned_share(np.ones(1), 0),
])  # fmt: skip
def test_impossible_settings_are_refused(call):
    with pytest.raises(ValueError, match="should be positive"):
        call()
