"""What the BERT of an experiment sees in texts, and where it puts them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.api.experiments import Source, configure
from tfrec.data.dataset import PreparedDataset
from tfrec.towers.bert.tokenizer import UNKNOWN, read_vocabulary
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.training.text import item_text_vectors, text_tower


class TextReader:
    """The BERT of an experiment, as it is before any training.

    Args:
        config: the experiment, as in `tfrec.configure`; its section `text` names the BERT.

    Raises:
        UserError: if there is no such BERT.
    """

    def __init__(self, config: Source = None) -> None:
        self._config = configure(config).text
        self._files = find_weights(self._config.bert)

    @cached_property
    def tower(self) -> BertTextTower:
        """The layer that reads texts, with the variables trainable that the policy trains."""
        tower = text_tower(self._files, self._config)
        tower(tf.constant(["a"]))
        return tower

    def pieces(self, texts: Sequence[str]) -> list[list[str]]:
        """Returns the word pieces of each text; ``##`` begins one that continues a word."""
        vocabulary = read_vocabulary(self._files.vocabulary)
        rows = self.tower.tokenizer.tokenize(tf.constant(list(texts))).to_list()
        return [[vocabulary[token] for token in row] for row in rows]

    def unknown(self, texts: Sequence[str]) -> float:
        """Returns the share of word pieces that the BERT has no entry for.

        High shares say that it was made for another language.
        """
        pieces = [piece for row in self.pieces(texts) for piece in row]
        return pieces.count(UNKNOWN) / max(1, len(pieces))

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Returns the unit vectors of texts, float32 `[num_texts, dimension]`."""
        return self.tower(tf.constant(list(texts))).numpy()

    def similarity(self, texts: Sequence[str], others: Sequence[str] | None = None) -> pd.DataFrame:
        """Returns the cosines of all pairs of texts, with the texts as rows and columns.

        Args:
            texts: the rows.
            others: the columns; the rows again by default.
        """
        others = list(texts if others is None else others)
        cosines = self.vectors(texts) @ self.vectors(others).T
        return pd.DataFrame(cosines, index=list(texts), columns=others)

    def items(self, dataset: PreparedDataset) -> pd.DataFrame:
        """Returns the unit vectors of a data set's items, a row an item, by item id.

        They are read from the data set's cache, where they are in it.
        """
        vectors = item_text_vectors(dataset, self._config)
        return pd.DataFrame(vectors, index=dataset.items["item_id"])

    @property
    def weights(self) -> int:
        """How many numbers the BERT is made of."""
        return sum(int(np.prod(weight.shape)) for weight in self.tower.weights)

    @property
    def trained_weights(self) -> int:
        """How many of them the policy trains."""
        return sum(int(np.prod(weight.shape)) for weight in self.tower.trainable_weights)
