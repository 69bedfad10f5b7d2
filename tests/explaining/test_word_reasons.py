import numpy as np
import pytest
import tensorflow as tf

from tfrec.explaining.history_reasons import REASONS
from tfrec.explaining.word_reasons import WordReasons
from tfrec.explaining.words import Words, word_vectors

TEXTS = ["red lamp", "red dress", "blue lamp", "blue dress", "green", ""]


@pytest.fixture(scope="module")
def parts():
    """Unit text vectors of 3 numbers, unit item vectors of 2."""
    random = np.random.default_rng(2)
    text = random.normal(size=(len(TEXTS) + 1, 3))
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    text[0] = 0
    projection = random.normal(size=(3, 2))
    vectors = text @ projection
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return [values.astype(np.float32) for values in (text, vectors, projection)]


def test_effects_are_those_of_the_formula(parts):
    text, vectors, projection = parts
    words = Words.of(TEXTS)
    query = np.array([[0.6, -0.8]], np.float32)
    effects = WordReasons(words, *parts).effects(tf.constant(query), tf.constant([[1, 4, 5]]))
    moves = word_vectors(words, text[1:])
    for row, item in enumerate([1, 4, 5]):
        v, t = vectors[item], text[item]
        pull = query[0] - (query[0] @ v) * v
        for slot, word in enumerate(words.of_item[item]):
            if word:
                u = moves[word]
                expected = pull @ projection.T @ (u - (u @ t) * t)
                assert float(effects[0, row, slot]) == pytest.approx(expected, abs=1e-5)


def test_words_that_speak_for_an_item_are_named_and_no_others(parts):
    words = Words.of(TEXTS)
    reasons = WordReasons(words, *parts)
    queries = tf.constant([[0.6, -0.8], [-0.6, 0.8], [0.0, 0.0]])
    items = tf.constant([[1, 4, 6, 0]] * 3, tf.int64)
    effects, named = reasons.effects(queries, items).numpy(), reasons(queries, items).numpy()
    assert named.shape == (3, 4, REASONS)
    for batch in range(3):
        for row, item in enumerate([1, 4]):
            order = np.argsort(-effects[batch, row])
            spelt = [words.spelling[words.of_item[item][slot]] for slot in order]
            wanted = [
                word for word, slot in zip(spelt, order, strict=True)
                if effects[batch, row, slot] > 0
            ]  # fmt: skip
            assert [word.decode() for word in named[batch, row] if word] == wanted
    # An item without words, and no item.
    assert (named[:, 2:] == b"").all() and (named[2] == b"").all()
    assert (named[:2, :2] != b"").any()
