"""Calibration curves, with bins and intervals worked by hand."""

import numpy as np
import pytest

from tfrec.evaluation.calibration import calibration_curve


def test_bins_of_equal_mass():
    probabilities = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    curve = calibration_curve(labels, probabilities, bins=4)
    np.testing.assert_allclose(curve.predicted, [0.15, 0.35, 0.55, 0.75])
    np.testing.assert_allclose(curve.observed, [0, 1 / 2, 1 / 2, 1])
    assert curve.count.tolist() == [2, 2, 2, 2]


def test_intervals_are_those_of_wilson():
    """One of ten: Wilson's interval is 0.0179 to 0.4042 (Brown, Cai and DasGupta's formula)."""
    curve = calibration_curve(np.arange(10) == 0, np.full(10, 0.2), bins=1)
    z2 = 1.959964**2
    centre, scale = (0.1 + z2 / 20) / (1 + z2 / 10), 1 + z2 / 10
    half = np.sqrt(z2 * (0.09 / 10 + z2 / 400)) / scale
    np.testing.assert_allclose([curve.low[0], curve.high[0]], [centre - half, centre + half])
    np.testing.assert_allclose([curve.low[0], curve.high[0]], [0.0179, 0.4042], atol=1e-4)


def test_ends_of_the_intervals_stay_probabilities():
    curve = calibration_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.1, 0.9, 0.9]), bins=2)
    assert curve.low[0] == pytest.approx(0, abs=1e-12) and curve.high[0] < 1
    assert curve.high[1] == pytest.approx(1) and curve.low[1] > 0


def test_equal_probabilities_share_a_bin():
    curve = calibration_curve(np.array([1, 0, 0, 0]), np.array([0.2, 0.2, 0.2, 0.9]), bins=10)
    np.testing.assert_allclose(curve.predicted, [0.2, 0.9])
    assert curve.count.tolist() == [3, 1]
    assert calibration_curve(np.ones(5), np.full(5, 0.3)).count.tolist() == [5]


def test_nothing_to_calibrate():
    assert len(calibration_curve(np.zeros(0), np.zeros(0)).predicted) == 0


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"one shape .* Received: \(2,\) and \(3,\)"):
        calibration_curve(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="bins=0"):
        calibration_curve(np.zeros(2), np.zeros(2), bins=0)
