"""Encodes many texts with a frozen tower at the best speed that two cores give."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfrec.progress import progress
from tfrec.towers.bert.tower import BertTextTower

_TEXTS_PER_TOKENIZER_CALL = 2048
# What was fastest on two cores (benchmarks/text_tower.py), where activations fit the caches.
TOKENS_PER_BATCH = 1024


class BatchEncoder:
    """Encodes texts in batches of about equal length, so that little padding is computed.

    Args:
        tower: the tower; used as it is, without dropout.
        tokens_per_batch: tokens of a batch, padding included; a longer text is a batch alone.
    """

    def __init__(self, tower: BertTextTower, tokens_per_batch: int = TOKENS_PER_BATCH) -> None:
        self._tokens_per_batch = tokens_per_batch
        self._tokenize = tf.function(
            tower.tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        self._forward = tf.function(
            lambda token_ids, mask: tower.encode_tokens(token_ids, mask, training=False),
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([None, None], tf.bool),
            ],
        )

    def encode(self, texts: list[bytes]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the vectors batch by batch, the longest texts first.

        Args:
            texts: UTF-8 texts.

        Yields:
            Rows of `texts` (int64 [batch]) and their vectors (float32 [batch, dimension]).
        """
        token_ids, lengths = self._tokenized(texts)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        order = np.argsort(-lengths, kind="stable")
        # Counted in tokens, because a long text takes as long as many short ones.
        with progress(
            total=int(lengths.sum()), description=f"Encoding {len(texts)} texts", unit="token"
        ) as bar:
            start = 0
            while start < len(order):
                longest = lengths[order[start]]
                rows = order[start : start + max(1, self._tokens_per_batch // longest)]
                batch = np.zeros((len(rows), longest), np.int32)
                mask = np.arange(longest) < lengths[rows][:, np.newaxis]
                batch[mask] = np.concatenate(
                    [token_ids[offsets[row] : offsets[row + 1]] for row in rows]
                )
                yield rows, self._forward(batch, mask).numpy()
                bar.update(int(lengths[rows].sum()))
                start += len(rows)

    def _tokenized(self, texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Returns all token ids in one row, and the length of each text."""
        ids, lengths = [], []
        for start in range(0, len(texts), _TEXTS_PER_TOKENIZER_CALL):
            rows = self._tokenize(tf.constant(texts[start : start + _TEXTS_PER_TOKENIZER_CALL]))
            ids.append(rows.flat_values.numpy())
            lengths.append(rows.row_lengths().numpy())
        return np.concatenate(ids), np.concatenate(lengths)
