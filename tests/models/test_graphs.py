"""`OpenGraph`: one graph for inputs of all sizes."""

import tensorflow as tf

from tfrec.models.graphs import OpenGraph


def total(numbers, others, scale=None, *, made=None):
    if made is not None:
        made.append(1)
    summed = tf.reduce_sum(numbers["a"]) + tf.reduce_sum(others)
    return summed if scale is None else summed * scale


def test_one_graph_for_all_sizes():
    made = []
    graph = OpenGraph(lambda numbers, others: total(numbers, others, made=made))
    assert graph({"a": tf.ones([2, 3])}, tf.ones([1])).numpy() == 7.0
    assert graph({"a": tf.ones([5, 1])}, tf.ones([4])).numpy() == 9.0
    assert made == [1]


def test_arguments_with_a_default_may_be_left_out():
    graph = OpenGraph(total)
    assert graph({"a": tf.ones([2, 3])}, tf.ones([1])).numpy() == 7.0
    assert graph({"a": tf.ones([2, 3])}, tf.ones([1]), tf.constant(2.0)).numpy() == 14.0
