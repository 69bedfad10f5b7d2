"""Vectors in fewer bits answer as those that they unpack to, in one piece and in blocks."""

import numpy as np
import pytest
import tensorflow as tf

from tfrec.index import item_vectors as module
from tfrec.index.item_vectors import ItemVectors, quantise

KINDS = ["float32", "bfloat16", "int8"]
ROWS = np.array([[0, 0], [0.5, -0.25], [1 / 3, 1.0], [-1.0, 0.7], [0.1, 0.2]], np.float32)
TENTH = 0.10009765625
KEPT = {
    "float32": ROWS,
    # Eight bits of a number: a third is 0.333984375, ...
    "bfloat16": [[0, 0], [0.5, -0.25], [0.333984375, 1], [-1, 0.69921875], [TENTH, 2 * TENTH]],
    # ... or whole steps of a row's largest number over 127.
    "int8": [[0, 0], [0.5, -32 / 127], [42 / 127, 1], [-1, 89 / 127], [64 * 0.2 / 127, 0.2]],
}
BYTES = {"float32": 40, "bfloat16": 20, "int8": 10 + 20}
QUERIES = tf.constant([[1.0, 0.0], [-0.5, 2.0], [0.3, 0.3]])


def test_eight_bits_worked_by_hand():
    codes, scales = quantise(np.float32([[0.5, -0.25, 0.1], [0, 0, 0], [-2.0, 2.0, 0.007]]))
    assert codes.dtype == np.int8 and scales.dtype == np.float32
    # 0.5 / 127 a step: -0.25 is half way between 63 and 64, 0.1 is 25.4 steps.
    assert codes.tolist() == [[127, -64, 25], [0, 0, 0], [-127, 127, 0]]
    np.testing.assert_allclose(scales[:, 0], [0.5 / 127, 0, 2 / 127], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [2, 3, 100])
def test_every_way_to_read_them(kind, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", block)
    vectors = ItemVectors(tf.constant(ROWS), kind)
    kept = np.float32(KEPT[kind])
    assert (vectors.size, vectors.count) == (BYTES[kind], 5)
    np.testing.assert_allclose(vectors.table(), kept, rtol=1e-6)
    items = tf.constant([[3, 0], [1, 3]], tf.int64)
    np.testing.assert_allclose(vectors.rows(items), kept[items], rtol=1e-6)
    graph = tf.function(vectors.products)
    np.testing.assert_allclose(graph(QUERIES), QUERIES @ kept.T, rtol=1e-5, atol=1e-7)
    table, places = vectors.local(items)
    np.testing.assert_allclose(tf.gather(table, places), kept[items], rtol=1e-6)
    assert (places.numpy() > 0).tolist() == [[True, False], [True, True]]


@pytest.mark.parametrize("kind", KINDS)
def test_other_vectors_take_the_place_of_the_first(kind):
    vectors = ItemVectors(tf.zeros([5, 2]), kind)
    assert not vectors.table().numpy().any()
    vectors.assign(tf.constant(ROWS))
    np.testing.assert_allclose(vectors.table(), KEPT[kind], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_reads_nothing_but_what_is_kept(kind):
    vectors = ItemVectors(tf.constant(ROWS), kind)
    graph = tf.function(vectors.products).get_concrete_function(QUERIES)
    held = {variable.dtype.name for variable in graph.variables}
    assert held == ({"int8", "float32"} if kind == "int8" else {kind})
    assert sum(v.dtype.size * v.shape.num_elements() for v in graph.variables) == BYTES[kind]
