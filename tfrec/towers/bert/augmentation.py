"""Changes texts a little where a BERT is trained: hides tokens, swaps words."""

import dataclasses

import tensorflow as tf

from tfrec.towers.bert.tokenizer import SPECIAL_TOKENS, read_vocabulary
from tfrec.towers.bert.tower import BertTextTower

_NO_WORD, _BEGINS, _CONTINUES = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How much texts are changed.

    Attributes:
        token_dropout: share of tokens that are hidden, as if the text had them not.
        word_swap: probability that two neighbouring words change places. Only words of one piece
            do, so that none is torn apart, and a word takes part in one exchange at most.
    """

    token_dropout: float = 0.0
    word_swap: float = 0.0

    def __bool__(self) -> bool:
        return self.token_dropout > 0 or self.word_swap > 0

    def apply(
        self, token_ids: tf.Tensor, mask: tf.Tensor, kinds: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the changed tokens and mask.

        Args:
            token_ids: int32 `[batch, length]`.
            mask: bool `[batch, length]`, true where there is a token.
            kinds: int32 `[vocabulary]`, from `kinds_of_pieces`.
        """
        if self.word_swap:
            token_ids = self._swapped(token_ids, mask, kinds)
        if self.token_dropout:
            kept = tf.random.uniform(tf.shape(mask)) >= self.token_dropout
            # The first token, [CLS], stays, so that no text is empty.
            first = tf.range(tf.shape(mask)[1]) == 0
            mask = tf.logical_and(mask, tf.logical_or(kept, first))
        return token_ids, mask

    def _swapped(self, token_ids: tf.Tensor, mask: tf.Tensor, kinds: tf.Tensor) -> tf.Tensor:
        kind = tf.where(mask, tf.gather(kinds, token_ids), _NO_WORD)
        single = tf.logical_and(kind == _BEGINS, _next(kind) != _CONTINUES)
        # Every second place, from a first one at random, so that no word is in two exchanges.
        shape = tf.shape(token_ids)
        start = tf.random.uniform([shape[0], 1], 0, 2, tf.int32)
        turn = (tf.range(shape[1])[tf.newaxis] + start) % 2 == 0
        drawn = tf.logical_and(turn, tf.random.uniform(shape) < self.word_swap)
        left = tf.logical_and(tf.logical_and(single, _next(single)), drawn)
        right = tf.concat([tf.zeros_like(left[:, :1]), left[:, :-1]], axis=1)
        before = tf.concat([token_ids[:, :1], token_ids[:, :-1]], axis=1)
        return tf.where(left, _next(token_ids), tf.where(right, before, token_ids))


def kinds_of_pieces(tower: BertTextTower) -> tf.Tensor:
    """Returns int32 `[vocabulary]`: whether a piece begins a word, continues one, or is special."""

    def kind(piece: str) -> int:
        if piece in SPECIAL_TOKENS:
            return _NO_WORD
        return _CONTINUES if piece.startswith("##") else _BEGINS

    pieces = read_vocabulary(tower.tokenizer.vocabulary_path)
    return tf.constant([kind(piece) for piece in pieces], tf.int32)


def _next(values: tf.Tensor) -> tf.Tensor:
    """Returns what stands one place further on; zero behind the last."""
    return tf.concat([values[:, 1:], tf.zeros_like(values[:, :1])], axis=1)
