"""Mixtures of experts by hand, and the checks of every layer."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.models.experts import MixtureOfExperts

INPUTS = tf.constant([[[1.0, 2.0]], [[-1.0, 0.5]]])
GATED_BY = tf.constant([[[1.0]], [[2.0]]])


def test_layer_checks():
    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(size=(4, 3, 5)), tf.float32)
    check_layer(lambda: MixtureOfExperts(2, 2, [6, 4]), (inputs, inputs[..., :2]))


def test_mixtures_worked_by_hand():
    layer = MixtureOfExperts(2, 2, [1])
    layer(INPUTS, GATED_BY)
    for (dense,), kernel, bias in zip(
        layer.experts, ([[1.0], [1.0]], [[0.0], [2.0]]), ([0.0], [1.0]), strict=True
    ):
        dense.set_weights([np.array(kernel), np.array(bias)])
    # Shares of the first task are 1 to 3, and 1 to 9 where the input is twice as large.
    layer.gates[0].set_weights([np.array([[0.0, np.log(3.0)]])])
    layer.gates[1].set_weights([np.array([[0.0, 0.0]])])
    # The experts say 3 and 5 of the first row; of the second max(0, -1/2) and 2.
    first, second = layer(INPUTS, GATED_BY)
    np.testing.assert_allclose(first[:, 0, 0], [(3 + 3 * 5) / 4, (0 + 9 * 2) / 10], rtol=1e-6)
    np.testing.assert_allclose(second[:, 0, 0], [(3 + 5) / 2, (0 + 2) / 2], rtol=1e-6)


@pytest.mark.parametrize(("experts", "units"), [(0, [4]), (2, [])])
def test_without_experts_or_layers(experts, units):
    with pytest.raises(ValueError, match="a mixture needs experts of at least one layer"):
        MixtureOfExperts(experts, 2, units)
