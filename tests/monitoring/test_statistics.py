"""Distances of distributions, worked by hand."""

import math

import numpy as np
import pytest

from tfrec.monitoring.drift.statistics import (
    centroid_shift,
    jensen_shannon_distance,
    kolmogorov_smirnov,
    ks_of_samples,
    population_stability_index,
)


class TestPopulationStabilityIndex:
    def test_worked_by_hand(self):
        # With half an event in each of two categories: 1/4, 3/4 against 3/4, 1/4.
        value = population_stability_index(np.array([0.5, 2.5]), np.array([2.5, 0.5]))
        assert value == pytest.approx(2 * 0.5 * math.log(3))

    def test_equal_shares_are_stable_whatever_their_sums(self):
        assert population_stability_index(np.array([10, 30]), np.array([1000, 3000])) < 1e-3

    def test_an_empty_category_counts_for_little_in_a_small_sample(self):
        reference = np.array([860, 90, 50])
        small = population_stability_index(reference, np.array([9, 1, 0]))
        large = population_stability_index(reference, np.array([90_000, 10_000, 0]))
        assert small < 0.1 < large

    def test_nothing_to_compare_is_no_number(self):
        assert math.isnan(population_stability_index(np.array([1, 2]), np.array([0, 0])))

    def test_shapes_must_agree(self):
        with pytest.raises(ValueError, match=r"Received: \(2,\) and \(3,\)"):
            population_stability_index(np.ones(2), np.ones(3))


class TestJensenShannon:
    def test_nothing_in_common_is_one(self):
        value = jensen_shannon_distance(np.array([1e9, 0]), np.array([0, 1e9]))
        assert value == pytest.approx(1, abs=1e-6)

    def test_worked_by_hand(self):
        # Shares 3/4, 1/4 and 1/4, 3/4; the mixture is 1/2, 1/2.
        divergence = 0.75 * math.log2(1.5) + 0.25 * math.log2(0.5)
        value = jensen_shannon_distance(np.array([2.5, 0.5]), np.array([0.5, 2.5]))
        assert value == pytest.approx(math.sqrt(divergence))

    def test_nothing_to_compare_is_no_number(self):
        assert math.isnan(jensen_shannon_distance(np.array([0, 0]), np.array([1, 2])))


class TestKolmogorovSmirnov:
    def test_worked_by_hand(self):
        # Below 2 lie 3 of 4 and 1 of 4; what is no number is left out.
        values = np.array([1.0, 2.0, np.nan])
        assert kolmogorov_smirnov(values, np.array([3, 1, 50]), np.array([1, 3, 0])) == 0.5

    def test_large_counts_are_thinned_out_evenly(self):
        values = np.array([3.0, 1.0, 2.0])
        counts = np.array([100_000, 300_000, 600_000])
        thin = kolmogorov_smirnov(values, counts, np.array([1, 3, 6]))
        assert thin == pytest.approx(0, abs=1e-3)
        assert kolmogorov_smirnov(values, counts, np.array([0, 1, 0])) == pytest.approx(
            0.7, abs=1e-3
        )

    def test_an_empty_sample_is_no_number(self):
        assert math.isnan(ks_of_samples(np.array([1.0]), np.array([])))


class TestCentroidShift:
    def test_worked_by_hand(self):
        # The reference spreads by 1 about 0; the live mean is at 1/2.
        vectors = np.array([[-1.0, 0.0], [1.0, 0.0]])
        assert centroid_shift(vectors, np.array([5, 5]), np.array([1, 3])) == pytest.approx(0.5)

    def test_vectors_that_are_all_one_have_no_spread(self):
        assert math.isnan(centroid_shift(np.ones((2, 3)), np.array([1, 1]), np.array([1, 0])))

    def test_nothing_to_compare_is_no_number(self):
        assert math.isnan(centroid_shift(np.eye(2), np.array([1, 1]), np.array([0, 0])))
