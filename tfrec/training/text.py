"""The text vectors that a training run starts from."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.config import TextConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.towers.bert.encoding import BatchEncoder
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.vectors import TextVectors
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.catalogue import NO_TOKEN


def item_text_vectors(dataset: PreparedDataset, config: TextConfig) -> np.ndarray:
    """Returns float32 `[num_items, text_dimension]`: the frozen BERT's vector of every item's text.

    Only texts that the cache does not hold are encoded.
    """
    return text_vectors(dataset.items["text"].tolist(), config, dataset.path / "text_vectors")


def text_vectors(texts: list[str], config: TextConfig, default_cache: Path) -> np.ndarray:
    """Returns the frozen BERT's vectors of `texts`, through the cache of the configuration."""
    cache = Path(config.cache_dir) if config.cache_dir else default_cache
    return TextVectors(cache, find_weights(config.bert), config.max_tokens).encode(texts)


def trainable_text_encoder(config: TextConfig) -> BertTextTower | None:
    """Returns the BERT that the policy trains, or `None` for the policy `frozen`."""
    if config.policy == "frozen":
        return None
    return BertTextTower.from_files(
        find_weights(config.bert),
        policy=config.policy,
        top_n=config.top_n,
        max_tokens=config.max_tokens,
    )


def token_table(encoder: BertTextTower, texts: list[str]) -> np.ndarray:
    """Returns int32 `[num_texts + 1, length]`: token ids, `NO_TOKEN` for padding and in row 0."""
    token_ids, mask = encoder.tokenize(tf.constant(["", *texts]))
    # Not the vocabulary's own padding: any id may stand for it, and 0 for a word.
    table = np.where(mask.numpy(), token_ids.numpy(), NO_TOKEN).astype(np.int32)
    table[0] = NO_TOKEN
    return table


def encode_all(encoder: BertTextTower, texts: list[str]) -> np.ndarray:
    """Returns float32 `[num_texts, text_dimension]` with the encoder as it is now."""
    vectors = np.zeros((len(texts), encoder.dimension), np.float32)
    for rows, batch in BatchEncoder(encoder).encode([text.encode() for text in texts]):
        vectors[rows] = batch
    return vectors
