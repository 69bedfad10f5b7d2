import itertools
import statistics

import pytest

from serving.loadtest.arrivals import due_times


def test_constant_arrivals_are_even_and_end_in_time():
    assert list(due_times(4.0, 1.0, "constant", seed=0)) == [0.0, 0.25, 0.5, 0.75]


def test_constant_arrivals_do_not_drift():
    # Added up ten thousand times, 0.1 would be 1000.0000000001588.
    *_, last = due_times(10.0, 1000.05, "constant", seed=0)
    assert last == 1000.0


def test_poisson_arrivals_have_the_rate_and_the_spread_of_the_exponential_distribution():
    due = list(due_times(50.0, 400.0, "poisson", seed=1))
    assert due == sorted(due)
    assert due[-1] < 400.0
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    # Both are 1/50 s; of 20,000 gaps, the mean is 0.7 % uncertain.
    assert statistics.mean(gaps) == pytest.approx(0.02, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.05)


def test_the_seed_makes_the_times():
    def first(seed):
        return list(itertools.islice(due_times(1.0, 1e9, "poisson", seed), 5))

    assert first(3) == first(3)
    assert first(3) != first(4)
