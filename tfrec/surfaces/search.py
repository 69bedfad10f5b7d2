"""Search: words, groups of letters and the meaning of a query together."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfrec.surfaces.letters import (
    GROUP_BUCKETS,
    WORD_BUCKETS,
    TextIndex,
    group_buckets,
    word_buckets,
    words_of,
)

PARTS = ("shared words", "cosine of words", "shared groups", "cosine of groups", "meaning")


class Search(tf.Module):
    """Scores the catalogue for a query.

    A misspelt word shares most of its groups of letters with the right one, a word of the same
    meaning shares a place in the space of a BERT; the weights of both are fitted on validation
    queries.

    Args:
        texts: texts of the items, in the order of their indices.
        mix: float32 `[len(PARTS)]`, weights of the parts.
    """

    def __init__(self, texts: Sequence[str], mix: np.ndarray) -> None:
        super().__init__(name="search")
        words = words_of(tf.constant(list(texts), tf.string))
        self._words = TextIndex(word_buckets(words), WORD_BUCKETS)
        self._groups = TextIndex(group_buckets(words), GROUP_BUCKETS)
        self.mix = tf.Variable(mix.astype(np.float32), trainable=False)

    def parts(
        self, queries: tf.Tensor, meanings: tf.Tensor, item_meanings: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns the parts, float32 `[batch, num_items + 1]` each, and bool `[batch]`.

        Args:
            queries: texts `[batch]`.
            meanings: float32 `[batch, text_dimension]`, unit vectors of the queries.
            item_meanings: float32 `[num_items + 1, text_dimension]`, unit vectors of the items.

        Returns:
            The parts; and whether a query has a word. One of emoji alone has none, and what a
            BERT makes of it is no meaning.
        """
        words = words_of(queries)
        readable = words.row_lengths() > 0
        meaning = tf.linalg.matmul(meanings, item_meanings, transpose_b=True)
        meaning *= tf.cast(readable, tf.float32)[:, tf.newaxis]
        of_words = self._words.fits(word_buckets(words))
        of_groups = self._groups.fits(group_buckets(words))
        return [*of_words, *of_groups, meaning], readable

    def scores(
        self, queries: tf.Tensor, meanings: tf.Tensor, item_meanings: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the weighted sum of the parts, and what has a word; arguments of `parts`."""
        parts, readable = self.parts(queries, meanings, item_meanings)
        return tf.add_n([self.mix[place] * part for place, part in enumerate(parts)]), readable
