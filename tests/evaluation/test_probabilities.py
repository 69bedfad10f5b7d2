import math

import numpy as np
import pytest

from tfrec.evaluation.probabilities import (
    auc,
    expected_calibration_error,
    grouped_auc,
    log_loss,
    probability_figures,
)


def test_auc_is_the_share_of_pairs_in_order():
    # Pairs (positive, negative): .9>.5, .9>.1, .4<.5, .4>.1.
    assert auc([1, 0, 1, 0], [0.9, 0.5, 0.4, 0.1]) == pytest.approx(3 / 4)


def test_auc_counts_a_tie_as_one_half():
    assert auc([1, 0, 0], [0.5, 0.5, 0.1]) == pytest.approx((1 / 2 + 1) / 2)
    assert auc([1, 0, 1, 0], [3, 3, 3, 3]) == pytest.approx(1 / 2)


def test_auc_of_perfect_and_of_reversed_order():
    assert auc([0, 0, 1], [1, 2, 3]) == 1
    assert auc([1, 1, 0], [1, 2, 3]) == 0


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], []])
def test_auc_of_one_class_is_undefined(labels):
    assert math.isnan(auc(labels, np.zeros(len(labels))))


def test_auc_equals_the_count_of_all_pairs_on_random_scores():
    generator = np.random.default_rng(0)
    labels, scores = generator.random(60) < 0.4, generator.integers(0, 12, 60)
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0 for p in scores[labels] for n in scores[~labels]
    ]
    assert auc(labels, scores) == pytest.approx(np.mean(pairs))


def test_grouped_auc_weighs_groups_by_examples_and_skips_those_of_one_class():
    labels = [1, 0, 0, 1, 0, 1, 1]
    scores = [0.2, 0.1, 0.3, 0.9, 0.8, 0.5, 0.6]
    groups = ["a", "a", "a", "b", "b", "c", "c"]
    # a: 1/2 over 3 examples; b: 1 over 2; c has no negative.
    assert grouped_auc(labels, scores, groups) == pytest.approx((3 * 1 / 2 + 2 * 1) / 5)


def test_grouped_auc_does_not_compare_across_groups():
    # Every positive is below every negative of the other group; within groups all is right.
    assert auc([1, 0, 1, 0], [2, 1, 12, 11]) == pytest.approx(3 / 4)
    assert grouped_auc([1, 0, 1, 0], [2, 1, 12, 11], [0, 0, 1, 1]) == 1


def test_grouped_auc_equals_auc_by_group_on_random_scores():
    generator = np.random.default_rng(0)
    labels, scores = generator.random(200) < 0.4, generator.integers(0, 9, 200)
    groups = generator.integers(0, 12, 200)
    parts = [
        (np.sum(groups == g), auc(labels[groups == g], scores[groups == g])) for g in range(12)
    ]
    expected = sum(n * a for n, a in parts) / 200
    assert grouped_auc(labels, scores, groups) == pytest.approx(expected)


def test_grouped_auc_without_a_usable_group_is_undefined():
    assert math.isnan(grouped_auc([1, 0], [1, 2], [0, 1]))
    assert math.isnan(grouped_auc([], [], []))


def test_log_loss_by_hand():
    loss = log_loss([1, 0, 1], [1 / 2, 1 / 4, 1 / 8])
    assert loss == pytest.approx((math.log(2) - math.log(3 / 4) + math.log(8)) / 3)


def test_log_loss_of_a_certain_mistake_is_finite():
    assert log_loss([1], [0.0]) == pytest.approx(-math.log(1e-7))
    assert log_loss([1, 0], [1.0, 0.0]) == pytest.approx(0, abs=1e-6)


def test_calibration_error_by_hand():
    # Bin [0, .1): 0 of 2 positive at .05; bin [.9, 1]: 1 of 2 at mean .95.
    labels, probabilities = [0, 0, 1, 0], [0.05, 0.05, 0.9, 1.0]
    expected = 2 / 4 * abs(0 - 0.05) + 2 / 4 * abs(1 / 2 - 0.95)
    assert expected_calibration_error(labels, probabilities) == pytest.approx(expected)


def test_calibration_error_of_one_bin_is_the_bias():
    assert expected_calibration_error([1, 0], [0.9, 0.4], bins=1) == pytest.approx(0.15)


def test_a_calibrated_forecast_has_a_small_error_and_an_overconfident_one_a_large():
    generator = np.random.default_rng(0)
    truth = generator.random(20_000)
    labels = generator.random(20_000) < truth
    assert expected_calibration_error(labels, truth) < 0.02
    assert expected_calibration_error(labels, np.round(truth)) == pytest.approx(1 / 4, abs=0.02)


@pytest.mark.parametrize("metric", [log_loss, expected_calibration_error])
def test_no_examples_are_undefined_and_values_outside_0_1_are_refused(metric):
    assert math.isnan(metric([], []))
    with pytest.raises(ValueError, match=r"Received: 0.5 to 1.5"):
        metric([1, 0], [0.5, 1.5])


def test_wrong_arguments_say_what_was_received():
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        auc([1, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="should be 0 or 1"):
        auc([1, 2], [1, 2])
    with pytest.raises(ValueError, match="1 NaN"):
        auc([1, 0], [1, np.nan])
    with pytest.raises(ValueError, match=r"`groups`.*\(1,\) and \(2,\)"):
        grouped_auc([1, 0], [1, 2], [0])
    with pytest.raises(ValueError, match="bins=0"):
        expected_calibration_error([1], [0.5], bins=0)


def test_figures_of_a_task_carry_its_name():
    figures = probability_figures("purchase", [1, 0], [0.75, 0.25], [7, 7])
    assert figures == {
        "auc_purchase": 1,
        "grouped_auc_purchase": 1,
        "log_loss_purchase": pytest.approx(-math.log(3 / 4)),
        "calibration_error_purchase": pytest.approx(1 / 4),
    }
