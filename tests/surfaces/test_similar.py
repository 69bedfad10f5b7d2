import numpy as np
import tensorflow as tf

from tfrec.index.item_vectors import ItemVectors
from tfrec.surfaces.similar import Similar, SimilarTables

TABLES = SimilarTables(
    nearest=np.array([[0, 0], [2, 3], [1, 0]], np.int32),
    cosines=np.array([[0, 0], [0.5, 0.25], [0.5, 0]], np.float32),
    mix=np.array([0.5, 0.3, 2.0], np.float32),
)
VECTORS = np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8]], np.float32)
TEXTS = np.array([[0, 0, 0], [1, 0, 0], [0.8, 0, 0.6], [0, 1, 0]], np.float32)
COMMON = np.array([[0, 0, 0, 0], [0, 0, 0.5, 0.25], [0, 0.5, 0, 0], [0, 0, 0, 0]])


def test_scores_are_the_weighted_sum_of_the_parts():
    items = [1, 2, 3, 1]
    vectors = ItemVectors(tf.constant(VECTORS))
    scores = Similar(TABLES).scores(tf.constant(items, tf.int64), vectors, TEXTS).numpy()
    expected = 0.5 * VECTORS @ VECTORS.T + 0.3 * TEXTS @ TEXTS.T + 2.0 * COMMON
    np.testing.assert_allclose(scores[:, 1:], expected[items][:, 1:], rtol=1e-6)
