"""A moving average of weights, lent to the variables for as long as a block lasts."""

import pytest
import tensorflow as tf

from tfrec.training.averaging import WeightAverage


def test_worked_by_hand():
    variable = tf.Variable([0.0, 8.0])
    average = WeightAverage([variable], 0.75)
    variable.assign([4.0, 0.0])
    average.update()
    average.update()
    # 0 -> 1 -> 1.75 and 8 -> 6 -> 4.5.
    with average.lent():
        assert variable.numpy().tolist() == [1.75, 4.5]
    assert variable.numpy().tolist() == [4.0, 0.0]


def test_the_own_values_come_back_after_an_error():
    variable = tf.Variable(1.0)
    average = WeightAverage([variable], 0.5)
    variable.assign(3.0)
    with pytest.raises(RuntimeError), average.lent():
        raise RuntimeError
    assert variable.numpy() == 3.0


def test_the_average_is_part_of_a_checkpoint(tmp_path):
    variable = tf.Variable(1.0)
    average = WeightAverage([variable], 0.5)
    variable.assign(5.0)
    average.update()
    path = tf.train.Checkpoint(average=average).write(str(tmp_path / "saved"))
    other = WeightAverage([tf.Variable(0.0)], 0.5)
    tf.train.Checkpoint(average=other).read(path)
    assert other.averages[0].numpy() == 3.0
