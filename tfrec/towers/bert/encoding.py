"""Encodes many texts with a tower as it is, at the best speed that two cores give."""

from collections.abc import Iterator

import numpy as np

from tfrec.progress import progress
from tfrec.towers.bert.tokens import TokenRows, graph_of_rows, token_batches
from tfrec.towers.bert.tower import BertTextTower

# What was fastest on two cores (benchmarks/text_tower.py), where activations fit the caches.
TOKENS_PER_BATCH = 1024


class BatchEncoder:
    """Encodes texts in batches of about equal length, so that little padding is computed.

    Args:
        tower: the tower; used as it is, without dropout.
        tokens_per_batch: tokens of a batch, padding included; a longer text is a batch alone.
    """

    def __init__(self, tower: BertTextTower, tokens_per_batch: int = TOKENS_PER_BATCH) -> None:
        self._tower = tower
        self._tokens_per_batch = tokens_per_batch
        self._forward = graph_of_rows(
            lambda token_ids, mask: tower.encode_tokens(token_ids, mask, training=False)
        )

    def encode(self, texts: list[bytes]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the vectors batch by batch, the longest texts first.

        Args:
            texts: UTF-8 texts.

        Yields:
            Rows of `texts` (int64 [batch]) and their vectors (float32 [batch, dimension]).
        """
        tokens = TokenRows.of(self._tower, texts)
        lengths = tokens.lengths[tokens.row_of_text]
        # Counted in tokens, because a long text takes as long as many short ones.
        with progress(
            total=int(lengths.sum()), description=f"Encoding {len(texts)} texts", unit="token"
        ) as bar:
            for chosen in token_batches(lengths, self._tokens_per_batch):
                yield chosen, self._forward(*tokens.padded(tokens.row_of_text[chosen])).numpy()
                bar.update(int(lengths[chosen].sum()))
