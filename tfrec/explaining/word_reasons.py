"""Which words of an item's text a shopper's vector owes its nearness to."""

import numpy as np
import tensorflow as tf

from tfrec.explaining.history_reasons import REASONS
from tfrec.explaining.words import Words, word_vectors


class WordReasons(tf.Module):
    """Names the words without which an item would be further from a shopper.

    A shopper is where the mean of his history is: the query vector is near it, and would have to
    be computed a second time.

    Leaving word `w` out moves the text vector `t` of an item along ``-(u - (u t) t)``, `u` being
    the vector of the word (see `words.word_vectors`), that moves the item vector `v` by as much
    through the text projection, and so the score ``q v`` by ``-(q - (q v) v) P' (u - (u t) t)``,
    all to first order and up to a factor that the words of an item share. Whatever does not
    depend on the shopper is computed here, once.

    Args:
        words: the words of the items.
        text: float32 `[num_items + 1, text_dimension]`, vectors of the items' texts.
        vectors: float32 `[num_items + 1, dimension]`, the item vectors.
        projection: float32 `[text_dimension, dimension]`, from texts to items.
    """

    def __init__(
        self, words: Words, text: np.ndarray, vectors: np.ndarray, projection: np.ndarray
    ) -> None:
        super().__init__(name="word_reasons")
        moves = word_vectors(words, text[1:])
        of_item = words.of_item
        # Slot by slot, as all words of all items at once would be a large array.
        along = np.stack([(moves[slot] * text).sum(axis=1) for slot in of_item.T], axis=1)
        moves, texts = moves @ projection, text @ projection
        own = np.stack([(moves[slot] * vectors).sum(axis=1) for slot in of_item.T], axis=1)
        own -= along * (texts * vectors).sum(axis=1, keepdims=True)
        self._of_item = tf.Variable(of_item, trainable=False)
        self._along = tf.Variable(along.astype(np.float32), trainable=False)
        self._own = tf.Variable(own.astype(np.float32), trainable=False)
        self._moves = tf.Variable(moves.astype(np.float32), trainable=False)
        self._texts = tf.Variable(texts.astype(np.float32), trainable=False)
        self._vectors = tf.Variable(vectors.astype(np.float32), trainable=False)
        self._spelling = tf.Variable(words.spelling, trainable=False)

    def effects(self, queries: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns how far each word moves the score of its item: float32 `[batch, count, most]`.

        Args:
            queries: float32 `[batch, dimension]`, where the shoppers are.
            items: int64 `[batch, count]`; 0 for none.
        """
        # Gathered, as a product with all words grows with the catalogue.
        moves = tf.gather(self._moves, tf.gather(self._of_item, items))
        direct = tf.einsum("bd,bkwd->bkw", queries, moves)
        text = tf.einsum("bd,bkd->bk", queries, tf.gather(self._texts, items))
        score = tf.einsum("bd,bkd->bk", queries, tf.gather(self._vectors, items))
        return (
            direct
            - tf.gather(self._along, items) * text[..., tf.newaxis]
            - tf.gather(self._own, items) * score[..., tf.newaxis]
        )

    def __call__(self, queries: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """Returns the words that speak for each item, the strongest first.

        Args: those of `effects`.

        Returns:
            string `[batch, count, REASONS]`; "" where fewer words do.
        """
        words = tf.gather(self._of_item, items)
        effects = tf.where(words > 0, self.effects(queries, items), 0.0)
        missing = tf.maximum(REASONS - tf.shape(words)[2], 0)
        pad = [[0, 0], [0, 0], [0, missing]]
        values, places = tf.math.top_k(tf.pad(effects, pad), k=REASONS)
        named = tf.gather(tf.pad(words, pad), places, batch_dims=2)
        return tf.gather(self._spelling, tf.where(values > 0.0, named, 0))
