"""The token rows of many texts in one flat array, each distinct text once."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfrec.towers.bert.tower import BertTextTower

_TEXTS_PER_TOKENIZER_CALL = 2048


@dataclasses.dataclass(frozen=True)
class TokenRows:
    """Rows of token ids; text `i` is ``flat[offsets[row_of_text[i]]:]`` for its length.

    Attributes:
        row_of_text: int32 `[num_texts]`, the row of each text; equal texts share one.
        flat: int32 `[num_tokens]`, the token ids of all rows.
        lengths: int32 `[num_rows]`, tokens of each row, ``[CLS]`` and ``[SEP]`` included.
        offsets: int64 `[num_rows]`, where each row begins in `flat`.
    """

    row_of_text: np.ndarray
    flat: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, tower: BertTextTower, texts: Sequence[bytes]) -> "TokenRows":
        """Tokenizes UTF-8 `texts` with the tokenizer of `tower`."""
        place: dict[bytes, int] = {}
        row_of_text = [place.setdefault(text, len(place)) for text in texts]
        distinct = list(place)
        tokenize = tf.function(
            tower.tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)]
        )
        flat, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        for start in range(0, len(distinct), _TEXTS_PER_TOKENIZER_CALL):
            rows = tokenize(tf.constant(distinct[start : start + _TEXTS_PER_TOKENIZER_CALL]))
            flat.append(rows.flat_values.numpy())
            lengths.append(rows.row_lengths().numpy())
        size = np.concatenate(lengths)
        return cls(
            np.array(row_of_text, np.int32),
            np.concatenate(flat).astype(np.int32),
            size.astype(np.int32),
            (np.cumsum(size) - size).astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns token ids (int32) and mask (bool) `[len(rows), longest]` of some rows."""
        index, mask = self.places(rows)
        return np.where(mask, self.flat[index], 0), mask

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns where the tokens of some rows are in `flat`, padded, and their mask."""
        lengths = self.lengths[rows]
        mask = np.arange(lengths.max(initial=1)) < lengths[:, np.newaxis]
        index = self.offsets[rows][:, np.newaxis] + np.arange(mask.shape[1])
        return np.where(mask, index, 0), mask

    def content_hash(self) -> str:
        """Returns a SHA-256 of the rows."""
        digest = hashlib.sha256(self.lengths.tobytes())
        digest.update(self.flat.tobytes())
        return digest.hexdigest()


def token_batches(lengths: np.ndarray, tokens_per_batch: int) -> Iterator[np.ndarray]:
    """Yields the rows of batches of about equal length, so that little padding is computed.

    The longest come first; a row longer than `tokens_per_batch` is a batch of its own.

    Args:
        lengths: int `[num_rows]`.
        tokens_per_batch: tokens of a batch, padding included.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, tokens_per_batch // max(1, int(lengths[order[start]])))
        yield order[start : start + count]
        start += count


def graph_of_rows(
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.types.experimental.PolymorphicFunction:
    """Returns a function of padded rows as a graph that is made once, whatever their sizes.

    Args:
        function: of int32 and of bool `[batch, length]`, such as what `TokenRows.padded` returns.
    """
    return tf.function(
        function,
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.bool),
        ],
    )
