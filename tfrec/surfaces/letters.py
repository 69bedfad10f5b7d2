"""Texts as bags of words and of groups of letters, which a typo leaves mostly whole."""

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

MOST_CHARACTERS = 256
"""What is read of a text; the rest is cut off."""
WORD_BUCKETS = 2**16
GROUP_BUCKETS = 2**17
GROUPS = [2, 3, 4]
"""Letters of a group. Two carry languages that write words with one or two characters."""


def cut(texts: tf.Tensor) -> tf.Tensor:
    """Returns texts `[batch]` of at most `MOST_CHARACTERS` characters, each valid UTF-8."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.substr(texts, 0, MOST_CHARACTERS, unit="UTF8_CHAR")


def words_of(texts: tf.Tensor) -> tf.RaggedTensor:
    """Returns the words of texts `[batch]`, ragged `[batch, words]`.

    Case, accents and compatibility forms (full-width letters) are folded; whatever is neither
    letter nor digit parts words, so that emoji and punctuation make none.
    """
    texts = tf_text.normalize_utf8(tf_text.case_fold_utf8(cut(texts)), "NFKD")
    texts = tf.strings.regex_replace(texts, r"\p{Mn}", "")
    texts = tf.strings.regex_replace(texts, r"[^\p{L}\p{N}]+", " ")
    return tf.strings.split(texts)


def word_buckets(words: tf.RaggedTensor) -> tf.RaggedTensor:
    """Returns the bucket of every word, int64 ragged `[batch, words]`."""
    return words.with_values(tf.strings.to_hash_bucket_fast(words.values, WORD_BUCKETS))


def group_buckets(words: tf.RaggedTensor) -> tf.RaggedTensor:
    """Returns the buckets of the groups of letters of all words, int64 ragged `[batch, groups]`.

    A word's ends take part as a sign of their own, so that ``_re`` is not ``are``. Groups do not
    reach over words, whose order therefore does not matter.
    """
    ended = tf.strings.join(["_", words.values, "_"])
    letters = tf.strings.unicode_split(ended, "UTF-8")
    groups = tf.strings.ngrams(letters, GROUPS, separator="")
    buckets = groups.with_values(tf.strings.to_hash_bucket_fast(groups.values, GROUP_BUCKETS))
    of_texts = tf.RaggedTensor.from_row_splits(buckets, words.row_splits)
    return of_texts.merge_dims(1, 2)


class TextIndex(tf.Module):
    """Which items have which words, or which groups of letters.

    A word weighs by its inverse document frequency, ``log(1 + items / items with it)``, and counts
    once however often a text repeats it.

    Args:
        buckets: int64 ragged `[num_items, count]`, of the items in the order of their indices.
        size: number of buckets.
    """

    def __init__(self, buckets: tf.RaggedTensor, size: int) -> None:
        super().__init__(name="text_index")
        self._size = size
        self._num_items = int(buckets.nrows())
        rows, values = buckets.value_rowids().numpy(), buckets.values.numpy()
        pairs = np.unique(np.stack([rows + 1, values], axis=1), axis=0).reshape(-1, 2)
        having = np.bincount(pairs[:, 1], minlength=size)
        rarity = np.log1p(max(self._num_items, 1) / np.maximum(having, 1)).astype(np.float32)
        weights = rarity[pairs[:, 1]]
        squares = np.bincount(pairs[:, 0], weights**2, minlength=self._num_items + 1)
        self._pairs = tf.Variable(pairs, trainable=False)
        self._weights = tf.Variable(weights, trainable=False)
        self._rarity = tf.Variable(rarity, trainable=False)
        self._norms = tf.Variable(np.sqrt(squares).astype(np.float32), trainable=False)

    def fits(self, buckets: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns how well the items fit queries, twice float32 `[batch, num_items + 1]`.

        Args:
            buckets: int64 ragged `[batch, count]`, of the queries.

        Returns:
            The share of a query's (squared) weight that an item has, which a long text is not
            blamed for; and the cosine, which is 1 for the same words only.
        """
        batch = tf.cast(buckets.nrows(), tf.int64)
        place = buckets.value_rowids() * self._size + buckets.values
        there = tf.math.unsorted_segment_max(
            tf.ones_like(place, tf.float32), place, batch * self._size
        )
        there = tf.reshape(tf.maximum(there, 0.0), [batch, self._size])
        queries = there * self._rarity
        index = tf.SparseTensor(self._pairs, self._weights, [self._num_items + 1, self._size])
        common = tf.transpose(tf.sparse.sparse_dense_matmul(index, queries, adjoint_b=True))
        norms = tf.norm(queries, axis=1)[:, tf.newaxis]
        share = tf.math.divide_no_nan(common, norms**2)
        return share, tf.math.divide_no_nan(common, norms * self._norms)
