import numpy as np
import pytest
import tensorflow as tf

from tfrec.config import TrainingConfig
from tfrec.training.optimizer import PartOptimizers, make_optimizer


def moved(variable, before):
    return float(np.abs(variable.numpy() - before).max())


def test_a_part_moves_at_its_own_rate():
    text, head, table = (tf.Variable([1.0, 2.0]) for _ in range(3))
    optimizer = make_optimizer(
        TrainingConfig(learning_rate=0.1), {"text": [text], "rest": [head, table]}, {"text": 0.002}
    )
    gradients = [tf.constant([3.0, -4.0])] * 3
    for _ in range(2):
        optimizer.apply_gradients(zip(gradients, [head, text, table], strict=True))
    # Adam's first steps are as long as its learning rate, whatever the gradient.
    assert moved(text, [1.0, 2.0]) == pytest.approx(2 * 0.002, rel=1e-3)
    assert moved(head, [1.0, 2.0]) == pytest.approx(2 * 0.1, rel=1e-3)
    assert moved(table, [1.0, 2.0]) == pytest.approx(2 * 0.1, rel=1e-3)
    assert int(optimizer.iterations) == 2
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


def test_steps_are_counted_where_all_variables_belong_to_parts():
    text = tf.Variable([1.0])
    optimizer = make_optimizer(TrainingConfig(), {"text": [text]}, {"text": 0.5})
    optimizer.apply_gradients([(tf.constant([1.0]), text)])
    assert int(optimizer.iterations) == 1
    assert text.numpy() == pytest.approx(0.5, rel=1e-3)


def test_it_goes_on_from_a_checkpoint(tmp_path):
    def trained(steps, saved=None):
        text, head = tf.Variable([1.0]), tf.Variable([1.0])
        optimizer = make_optimizer(
            TrainingConfig(learning_rate=0.1), {"text": [text]}, {"text": 0.01}
        )
        state = tf.train.Checkpoint(optimizer=optimizer, text=text, head=head)
        if saved is not None:
            state.restore(saved)
        for step in steps:
            gradient = tf.constant([1.0 + step])
            optimizer.apply_gradients([(gradient, text), (gradient, head)])
        return float(text[0]), float(head[0]), state

    expected = trained(range(4))[:2]
    path = trained(range(2))[2].save(str(tmp_path / "checkpoint"))
    assert trained(range(2, 4), path)[:2] == pytest.approx(expected)
    assert expected[0] != pytest.approx(expected[1])


def test_without_rates_of_parts_there_is_one_optimiser():
    assert not isinstance(make_optimizer(TrainingConfig()), PartOptimizers)
