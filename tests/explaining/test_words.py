import numpy as np
import pytest

from tfrec.explaining.words import Words, without_word, word_vectors, words_in


@pytest.mark.parametrize("text, words", [
    ("RED lamp, red Lamp", ["RED", "lamp"]),
    ("child's t-shirt 3.5 (oz)", ["child's", "t-shirt", "3.5", "oz"]),
    ("-- ' _ ☃", []),
    ("", []),
])  # fmt: skip
def test_words_are_distinct_and_in_their_order(text, words):
    assert words_in(text) == words


def test_a_word_is_left_out_wherever_it_stands():
    assert without_word("Red lamp. RED  shade, redder", "red") == "lamp. shade, redder"
    assert without_word("lamp", "lamp") == ""


def test_words_are_spelt_as_most_texts_spell_them():
    words = Words.of(["LAMP red", "Lamp", "Lamp blue red", ""], most=2)
    assert words.spelling == ["", "Lamp", "red", "blue"]
    assert words.of_item.tolist() == [[0, 0], [1, 2], [1, 0], [1, 3], [0, 0]]
    root = 2**-0.5
    np.testing.assert_allclose(
        words.incidence().toarray(),
        [[0, 0, 0, 0], [0, root, root, 0], [0, 1, 0, 0], [0, root, 0, root], [0, 0, 0, 0]],
        atol=1e-6,
    )


def test_no_texts_have_no_words():
    words = Words.of(["", "!"])
    assert words.of_item.shape == (3, 1) and words.spelling == [""]
    assert word_vectors(words, np.ones((2, 3), np.float32)).tolist() == [[0, 0, 0]]


def test_word_vectors_are_those_of_ridge_regression():
    random = np.random.default_rng(0)
    texts = ["a b", "a c", "b c d", "d", "a d", "c"]
    words, text = Words.of(texts), random.normal(size=(6, 3)).astype(np.float32)
    x = words.incidence().toarray()[1:, 1:]
    y = text - text.mean(axis=0)
    expected = np.linalg.solve(x.T @ x + 0.5 * np.eye(4), x.T @ y)
    fitted = word_vectors(words, text, shrinkage=0.5)
    np.testing.assert_allclose(fitted[1:], expected, atol=1e-4)
    assert not fitted[0].any()
