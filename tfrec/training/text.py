"""The texts of a training run: their vectors, and the BERT that may train in it."""

from pathlib import Path

import numpy as np

from tfrec.config import TextConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.monitoring.training.observer import StepReport, TrainingObserver
from tfrec.towers.bert.augmentation import Augmentation
from tfrec.towers.bert.encoding import BatchEncoder
from tfrec.towers.bert.policies import Policy
from tfrec.towers.bert.tokens import TokenRows
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.trained_texts import (
    TextCost,
    TrainedTexts,
    frozen_activations,
    stored_activations,
)
from tfrec.towers.bert.vectors import TextVectors, utf8
from tfrec.towers.bert.weights import BertFiles, find_weights
from tfrec.towers.catalogue import Catalogue

TEXT_VECTORS = "text_vectors"
ACTIVATIONS = "activations"


def item_text_vectors(dataset: PreparedDataset, config: TextConfig) -> np.ndarray:
    """Returns float32 `[num_items, text_dimension]`: the frozen BERT's vector of every item's text.

    Only texts that the cache does not hold are encoded.
    """
    return text_vectors(dataset.items["text"].tolist(), config, dataset.path / TEXT_VECTORS)


def text_vectors(texts: list[str], config: TextConfig, default_cache: Path) -> np.ndarray:
    """Returns the frozen BERT's vectors of `texts`, through the cache of the configuration."""
    files = find_weights(config.bert)
    return TextVectors(_cache(config, default_cache), files, config.max_tokens).encode(texts)


def text_tower(files: BertFiles, config: TextConfig, policy: Policy | None = None) -> BertTextTower:
    """Returns the BERT of `files` with the configured policy, or with `policy`."""
    return BertTextTower.from_files(
        files,
        policy=policy or config.policy,
        top_n=config.top_n,
        max_tokens=config.max_tokens,
        lora_rank=config.lora_rank,
        adapter_units=config.adapter_units,
    )


def trainable_text_encoder(config: TextConfig) -> BertTextTower | None:
    """Returns the BERT that the policy trains, or `None` for the policy `frozen`."""
    return None if config.policy == "frozen" else text_tower(find_weights(config.bert), config)


def trained_texts(
    dataset: PreparedDataset, config: TextConfig, policy: Policy | None = None
) -> TrainedTexts | None:
    """Returns the texts of the catalogue and the BERT that trains, or `None` if it is frozen.

    Args:
        dataset: the prepared data set.
        config: the BERT, its policy, and what keeps its training affordable.
        policy: what trains in place of the configured policy.
    """
    if (policy or config.policy) == "frozen":
        return None
    files = find_weights(config.bert)
    tower = text_tower(files, config, policy)
    tokens = TokenRows.of(tower, [utf8(text) for text in dataset.items["text"]])
    augmentation = Augmentation(config.token_dropout, config.word_swap)
    cost = TextCost(config.texts_per_step, config.cache_activations != "off", augmentation)
    activations = None
    if config.cache_activations == "disk" and cost.keeps_activations(tower):
        cache = _cache(config, dataset.path / TEXT_VECTORS)
        name = f"{files.fingerprint[:16]}-{tower.frozen_layers}-{tokens.content_hash()[:16]}.npy"
        activations = stored_activations(
            cache / ACTIVATIONS / name, lambda: frozen_activations(tower, tokens)
        )
    return TrainedTexts(tower, tokens, cost, activations)


def encode_all(encoder: BertTextTower, texts: list[str]) -> np.ndarray:
    """Returns float32 `[num_texts, text_dimension]` with the encoder as it is now."""
    vectors = np.zeros((len(texts), encoder.dimension), np.float32)
    for rows, batch in BatchEncoder(encoder).encode([text.encode() for text in texts]):
        vectors[rows] = batch
    return vectors


def text_learning_rates(config: TextConfig) -> dict[str, float]:
    """Returns the learning rates of parts of the retrieval model that have one of their own."""
    if config.policy == "frozen" or config.learning_rate is None:
        return {}
    return {"text_encoder": config.learning_rate}


class TextRefresh(TrainingObserver):
    """Encodes all texts of a catalogue anew after every few steps of a training.

    Vectors of items that no batch held for long lag behind the BERT that moves.

    Args:
        catalogue: the items.
        steps: steps between two refreshes; 0 for none.
    """

    def __init__(self, catalogue: Catalogue, steps: int) -> None:
        self._catalogue = catalogue
        self._steps = steps

    def step_taken(self, report: StepReport) -> None:
        """Refreshes where it is time."""
        texts = self._catalogue.texts
        if texts is not None and self._steps and report.step % self._steps == 0:
            self._catalogue.set_text(texts.encode_all())


def _cache(config: TextConfig, default: Path) -> Path:
    return Path(config.cache_dir) if config.cache_dir else default
