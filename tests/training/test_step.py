"""A step trains as TFRS does, and measures loss terms and gradients as they are."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tfrec.training.step import make_train_step, trained_variables


class Table(tfrs.models.Model):
    """Squared rows of an embedding table, times a scale."""

    def __init__(self):
        super().__init__()
        self.table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        self.scale = tf.Variable(1.0)
        self.fixed = tf.Variable(7.0, trainable=False)

    def compute_loss(self, inputs, training=False):
        rows = tf.gather(self.table, inputs["rows"])
        return self.scale * tf.reduce_sum(rows**2)


class InParts(Table):
    def loss_parts(self, inputs, training=False):
        assert training
        return {"squares": self.compute_loss(inputs), "size": 10.0 * self.scale}


def step_of(model, parts=None):
    optimizer = tf.keras.optimizers.SGD(0.1)
    return make_train_step(model, optimizer, parts or {"table": model.table, "scale": model.scale})


def test_gradients_of_rows_that_occur_twice_are_added():
    figures = step_of(Table())({"rows": tf.constant([0, 0, 1])})
    # d/d row 0 = 2 * 2 * [1, 2]; d/d row 1 = 2 * [3, 4]; d/d scale = 5 + 5 + 25.
    table = np.sqrt(16 + 64 + 36 + 64)
    assert float(figures["gradient_norm/table"]) == pytest.approx(table, abs=1e-4)
    assert float(figures["gradient_norm/scale"]) == pytest.approx(35.0)
    assert float(figures["gradient_norm"]) == pytest.approx(np.hypot(table, 35.0), abs=1e-4)
    assert float(figures["loss"]) == 35.0
    assert set(figures) == {"loss", *(f"gradient_norm{e}" for e in ("", "/table", "/scale"))}


def test_it_trains_as_tfrs_does():
    ours, theirs = Table(), Table()
    theirs.compile(tf.keras.optimizers.SGD(0.1))
    batch = {"rows": tf.constant([0, 2])}
    step_of(ours)(batch)
    theirs.train_step(batch)
    np.testing.assert_allclose(ours.table, theirs.table)
    assert float(ours.scale) == float(theirs.scale)
    assert float(ours.fixed) == 7.0


def test_terms_of_the_loss():
    model = InParts()
    figures = step_of(model)({"rows": tf.constant([0])})
    assert float(figures["loss/squares"]) == 5.0
    assert float(figures["loss/size"]) == 10.0
    assert float(figures["loss"]) == 15.0
    # 1 - 0.1 * (5 + 10)
    assert float(model.scale) == pytest.approx(-0.5)


def test_regularisation_is_a_term():
    class Regularised(Table):
        def __init__(self):
            super().__init__()
            self.dense = tf.keras.layers.Dense(
                1, kernel_regularizer=tf.keras.regularizers.L2(0.5), kernel_initializer="ones"
            )
            self.dense.build([None, 2])

    figures = step_of(Regularised())({"rows": tf.constant([0])})
    assert float(figures["loss/regularisation"]) == 1.0
    assert float(figures["loss"]) == 6.0
    assert float(figures["gradient_norm/other"]) > 0, "no part holds the layer"


def test_parts_without_trained_weights_are_left_out():
    layer = tf.keras.layers.Dense(1)
    layer.build([None, 1])
    frozen = tf.keras.layers.Dense(1, trainable=False)
    frozen.build([None, 1])
    parts = {
        "layers": [layer, frozen],
        "heads": {"a": tf.Variable(1.0), "b": tf.Variable(1.0, trainable=False)},
        "frozen": frozen,
    }
    found = trained_variables(parts)
    assert {name: len(variables) for name, variables in found.items()} == {"layers": 2, "heads": 1}
