import numpy as np
import pytest

from tfrec.evaluation.bootstrap import bootstrap_interval


def test_equal_values_have_an_interval_of_no_width():
    low, high = bootstrap_interval(np.full((10, 2), 0.25))
    assert low.tolist() == high.tolist() == [0.25, 0.25]


def test_two_shoppers_by_hand():
    # The resampled mean is 0 or 1 with probability 1/4 each: both tails reach beyond 2.5 %.
    low, high = bootstrap_interval(np.array([[0.0], [1.0]]))
    assert (low[0], high[0]) == (0, 1)
    # With 20 % confidence the middle half of the distribution is all at 1/2.
    low, high = bootstrap_interval(np.array([[0.0], [1.0]]), confidence=0.2)
    assert (low[0], high[0]) == (0.5, 0.5)


def test_width_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(size=(2000, 1))
    low, high = bootstrap_interval(values, samples=4000)
    expected = 2 * 1.96 * values.std() / np.sqrt(2000)
    assert high[0] - low[0] == pytest.approx(expected, rel=0.06)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    columns = (generator.random((200, 400)) < 0.3).astype(float)
    low, high = bootstrap_interval(columns, samples=1000)
    covered = np.mean((low <= 0.3) & (high >= 0.3))
    # 400 columns share the draws; the share has a standard error near 1.1 %.
    assert 0.91 <= covered <= 0.98


def test_same_seed_same_interval():
    values = np.random.default_rng(0).random((50, 3))
    first = bootstrap_interval(values, seed=3)
    again = bootstrap_interval(values, seed=3)
    other = bootstrap_interval(values, seed=4)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_resamples_in_several_blocks_are_the_same_draws(monkeypatch):
    values = np.random.default_rng(0).random((50, 3))
    whole = bootstrap_interval(values, samples=30)
    monkeypatch.setattr("tfrec.evaluation.bootstrap._CELLS_AT_ONCE", 200)
    assert np.allclose(bootstrap_interval(values, samples=30), whole, rtol=0, atol=1e-12)


def test_no_shoppers_no_interval():
    low, high = bootstrap_interval(np.zeros((0, 2)))
    assert np.isnan(low).all() and np.isnan(high).all()


def test_wrong_arguments_say_what_was_received():
    with pytest.raises(ValueError, match=r"Received: shape \(3,\)"):
        bootstrap_interval(np.zeros(3))
    with pytest.raises(ValueError, match="samples=0"):
        bootstrap_interval(np.zeros((3, 1)), samples=0)
