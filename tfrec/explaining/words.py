"""The words of the items' texts, and where each of them moves a text vector."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

MOST_WORDS = 16
"""Words of a text that may be named as reasons: the first ones, which are the title's."""
SHRINKAGE = 0.1
_STEPS = 20
_TOLERANCE = 1e-3
_WORD = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*")


def words_in(text: str) -> list[str]:
    """Returns the distinct words of a text in their order, as they are spelt at first.

    What is neither letter nor digit parts words, but for an apostrophe, a full stop or a hyphen
    between two of them. Case makes no difference.
    """
    found: dict[str, str] = {}
    for word in _WORD.findall(text):
        found.setdefault(word.casefold(), word)
    return list(found.values())


def without_word(text: str, word: str) -> str:
    """Returns a text with every occurrence of a word left out."""
    folded = word.casefold()
    left = _WORD.sub(
        lambda found: "" if found.group().casefold() == folded else found.group(), text
    )
    return " ".join(left.split())


@dataclass(frozen=True)
class Words:
    """The words of all texts.

    Attributes:
        spelling: the words, each as most texts spell it; position 0 stands for none.
        of_item: int32 `[num_items + 1, most]`, positions in `spelling` of every text's words in
            their order, padded with 0.
    """

    spelling: list[str]
    of_item: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], most: int = MOST_WORDS) -> "Words":
        """Reads the words of texts.

        Args:
            texts: the items' texts, in the order of their indices.
            most: words kept a text.
        """
        found = [words_in(text)[:most] for text in texts]
        spellings: dict[str, Counter[str]] = {}
        for words in found:
            for word in words:
                spellings.setdefault(word.casefold(), Counter())[word] += 1
        place = {folded: index for index, folded in enumerate(spellings, start=1)}
        width = max((len(words) for words in found), default=0) or 1
        of_item = np.zeros((len(texts) + 1, width), np.int32)
        for row, words in enumerate(found, start=1):
            of_item[row, : len(words)] = [place[word.casefold()] for word in words]
        return cls(["", *(max(c, key=c.__getitem__) for c in spellings.values())], of_item)

    def incidence(self) -> scipy.sparse.csr_matrix:
        """Returns float32 `[num_items + 1, num_words + 1]`: a text's words, as a unit vector."""
        present = self.of_item > 0
        rows, _ = np.nonzero(present)
        weights = 1.0 / np.sqrt(np.maximum(present.sum(axis=1), 1))
        return scipy.sparse.csr_matrix(
            (weights[rows].astype(np.float32), (rows, self.of_item[present])),
            shape=(len(self.of_item), len(self.spelling)),
        )


def word_vectors(
    words: Words, text_vectors: np.ndarray, shrinkage: float = SHRINKAGE
) -> np.ndarray:
    """Returns where each word moves the vectors of the texts that have it.

    A text vector less the mean of all is taken for the sum of its words' vectors over the root of
    their number; the word vectors are fitted to the whole catalogue by ridge regression. No text
    is read again: leaving a word out of a text and reading it with BERT would cost as many texts
    as the catalogue has words, and finds hardly another word.

    The normal equations are solved by conjugate gradients (Hestenes and Stiefel, 1952), all
    columns at once, which never makes a matrix of words by words.

    Args:
        words: the words of the items.
        text_vectors: float32 `[num_items, text_dimension]`.
        shrinkage: weight of the ridge penalty, where a word in one text of its own weighs 1.

    Returns:
        float32 `[num_words + 1, text_dimension]`; row 0 is zero.
    """
    incidence = words.incidence()[1:]
    transposed = incidence.T.tocsr()
    centred = text_vectors - text_vectors.mean(axis=0)
    vectors = np.zeros((incidence.shape[1], text_vectors.shape[1]), np.float32)
    residual = transposed @ centred
    direction = residual.copy()
    size = (residual**2).sum(axis=0)
    enough = _TOLERANCE**2 * size
    for _ in range(_STEPS):
        if (size <= enough).all():
            break
        turned = transposed @ (incidence @ direction) + shrinkage * direction
        curvature = (direction * turned).sum(axis=0)
        step = np.divide(size, curvature, out=np.zeros_like(size), where=curvature > 0)
        vectors += step * direction
        residual -= step * turned
        before, size = size, (residual**2).sum(axis=0)
        ratio = np.divide(size, before, out=np.zeros_like(size), where=before > 0)
        direction = residual + ratio * direction
    vectors[0] = 0.0
    return vectors
