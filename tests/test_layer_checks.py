"""The harness for layers passes a good layer and catches each kind of bad one."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import (
    check_call,
    check_config,
    check_layer,
    check_saved_model,
    check_training,
)

INPUTS = tf.constant(np.random.default_rng(1).normal(size=(4, 3)), tf.float32)


class Scale(tf.keras.layers.Layer):
    """Multiplies by a learned row, with dropout in training."""

    def __init__(self, width, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.rate = rate
        self.row = self.add_weight(name="row", shape=[width], initializer="ones")
        self.spare = self.add_weight(name="spare", shape=[width], initializer="ones")

    def call(self, inputs, training=False):
        outputs = inputs * self.row + 0.1 * self.spare
        return tf.nn.dropout(outputs, self.rate) if training else outputs

    def get_config(self):
        return {**super().get_config(), "width": self.width, "rate": self.rate}


class IgnoresSpare(Scale):
    def call(self, inputs, training=False):
        return inputs * self.row


class MixesRows(Scale):
    def call(self, inputs, training=False):
        return super().call(inputs) - tf.reduce_mean(inputs, axis=0)


class ForgetsConfig(Scale):
    def call(self, inputs, training=False):
        return super().call(inputs) * self.rate

    def get_config(self):
        config = super().get_config()
        del config["rate"]
        return config


class MovesFrozen(Scale):
    def __init__(self, width, **kwargs):
        super().__init__(width, **kwargs)
        self.count = self.add_weight(name="count", shape=[], trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.count.assign_add(1.0)
        return super().call(inputs)


class FixedBatch(Scale):
    def call(self, inputs, training=False):
        return tf.concat([super().call(inputs), tf.zeros([inputs.shape[0] or 4, 1])], axis=1)


class Unsteady(Scale):
    def call(self, inputs, training=False):
        return super().call(inputs) + tf.random.normal([3])


def test_good_layer_passes():
    check_layer(lambda: Scale(3), INPUTS)


def test_structured_inputs_pass():
    class Add(tf.keras.layers.Layer):
        def call(self, left, others):
            return left + others["right"]

    check_layer(Add, (INPUTS, {"right": INPUTS}))


def test_variable_without_gradient_is_caught_unless_named():
    with pytest.raises(AssertionError, match="spare:0 has no gradient"):
        check_training(lambda: IgnoresSpare(3), INPUTS)
    check_training(lambda: IgnoresSpare(3), INPUTS, unmoved=["spare"])


def test_rows_that_depend_on_each_other_are_caught():
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_call(lambda: MixesRows(3), INPUTS)


def test_outputs_that_differ_between_calls_are_caught():
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_call(lambda: Unsteady(3), INPUTS)


def test_incomplete_config_is_caught():
    with pytest.raises(AssertionError):
        check_config(lambda: ForgetsConfig(3, rate=0.25), INPUTS)


def test_frozen_variable_that_moves_is_caught():
    with pytest.raises(AssertionError, match="not trainable, but"):
        check_training(lambda: MovesFrozen(3), INPUTS)


def test_fixed_batch_size_is_caught():
    with pytest.raises(Exception, match=r"[Dd]imension"):
        check_saved_model(lambda: FixedBatch(3), INPUTS)
