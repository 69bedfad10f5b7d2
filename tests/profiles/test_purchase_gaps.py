import math

import numpy as np
import pytest

from tfrec.profiles.purchase_gaps import (
    NEVER,
    SECONDS_PER_DAY,
    PurchaseDays,
    PurchaseRhythm,
    survival_curve,
)


def days_of(*shoppers):
    owner = np.repeat(np.arange(len(shoppers)), [len(days) for days in shoppers])
    times = np.array([day for days in shoppers for day in days], np.int64) * SECONDS_PER_DAY
    return PurchaseDays.of(owner, times + 5, len(shoppers))


def test_days_are_distinct_and_in_order():
    owner = np.array([1, 0, 1, 1, 0, 1])
    times = np.array([9, 4, 3, 3, 4, 0]) * SECONDS_PER_DAY + np.array([7, 1, 8, 9, 2, 0])
    found = PurchaseDays.of(owner, times, 3)
    assert found.offsets.tolist() == [0, 1, 3, 3] and found.days.tolist() == [4, 3, 9]
    shopper, gaps = found.log_gaps()
    assert shopper.tolist() == [1] and gaps.tolist() == [pytest.approx(math.log(6))]


def test_the_survival_curve_is_that_of_kaplan_and_meier():
    # At 1 one of five ends, at 2 one of four and one is lost from sight, at 4 one of two.
    places, survival = survival_curve(
        np.array([2.0, 1.0, 4.0, 2.0, 5.0]), np.array([True, True, True, False, False])
    )
    assert places.tolist() == [1, 2, 4]
    np.testing.assert_allclose(survival, [4 / 5, 4 / 5 * 3 / 4, 4 / 5 * 3 / 4 / 2])


def rhythm(places=(-1.0, 0.0, 1.0), survival=(0.75, 0.5, 0.04)):
    return PurchaseRhythm(
        math.log(10), 0.5, 2.0, np.array(places, float), np.array(survival, float)
    )


def test_a_shopper_with_few_gaps_is_taken_for_everybody():
    mean, deviation = rhythm().expected(np.array([0, 2]), np.array([0.0, 2 * math.log(40)]))
    # Two gaps of 40 days and a strength of two: half way between 10 and 40 in logarithms.
    np.testing.assert_allclose(np.exp(mean), [10, 20])
    np.testing.assert_allclose(deviation, 0.5 * np.sqrt([1 + 1 / 2, 1 + 1 / 4]))


def test_quantiles_are_those_of_who_has_waited():
    found = rhythm().quantiles(np.array([-np.inf, -1.0, 0.5, 2.0]))
    # Left: 1, .75, .5, .04; a tenth, a half and nine tenths of them return by the places.
    assert found.tolist() == [[-1, 0, 1], [0, 1, 1], [1, 1, 1], [NEVER, NEVER, NEVER]]


def test_windows_count_from_the_last_purchase():
    windows = rhythm().windows(days_of([100], [], [100, 140, 180]), now=100)
    scale = 0.5 * math.sqrt(1.5)
    np.testing.assert_allclose(windows[0], 10 * np.exp([-scale, 0, scale]))
    assert np.isnan(windows[1]).all()
    np.testing.assert_allclose(windows[2][1], 20)


def test_rhythm_is_found_again():
    """Shoppers with means of their own around 12 days; half of the variance is between them."""
    random = np.random.default_rng(7)
    shoppers = []
    for mean in random.normal(math.log(12), 0.4, 800):
        gaps = np.maximum(np.rint(np.exp(random.normal(mean, 0.4, 12))), 1)
        shoppers.append((1000 + np.cumsum(gaps)).astype(int).tolist())
    found = PurchaseRhythm.fit(days_of(*shoppers), now=1000)
    assert found is not None
    assert found.mean == pytest.approx(math.log(12), abs=0.05)
    assert found.spread == pytest.approx(0.4, abs=0.03)
    assert found.strength == pytest.approx(1.0, abs=0.2)
    assert (np.diff(found.survival) < 0).all() and (np.diff(found.places) > 0).all()
    # A tenth of all gaps is below the first quantile, as the curve is that of these gaps.
    at = [
        np.interp(q, found.places, found.survival) for q in found.quantiles(np.full(1, -np.inf))[0]
    ]
    np.testing.assert_allclose(at, [0.9, 0.5, 0.1], atol=0.02)


def test_too_few_who_came_back_make_no_rhythm():
    assert PurchaseRhythm.fit(days_of([1], [2], [3, 9, 12]), now=20) is None
    assert PurchaseRhythm.fit(days_of(), now=20) is None


def test_who_stopped_buying_makes_windows_open():
    shoppers = [[0, 10, 20, 30], [0, 9, 18, 27]] + [[day] for day in range(8)]
    found = PurchaseRhythm.fit(days_of(*shoppers), now=4000)
    assert found is not None and found.survival[-1] > 0.1
    assert found.windows(days_of([3990]), now=4000)[0, 2] == NEVER
