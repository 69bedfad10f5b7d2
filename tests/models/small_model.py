"""A catalogue of five items, and models over it."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.tiny_bert import write_tiny_bert
from tfrec.config import RetrievalConfig
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.bert.policies import Policy
from tfrec.towers.bert.tokens import TokenRows
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.trained_texts import TrainedTexts
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec

TEXTS = ["red cotton dress", "blue lamp", "usb cable", "lamp shade", "heart light holder"]
NUM_ITEMS = len(TEXTS)
BRAND, COUNTRY = "Brand name", "Country 国"  # names that no TensorFlow scope could have
FREQUENCY = np.array([0.0, 0.4, 0.3, 0.1, 0.1, 0.1])


def five_items(text_dimension: int = 32) -> ItemFeatures:
    """Features of the items; item 3 has no price and item 5 no brand."""
    vectors = np.random.default_rng(0).normal(size=(NUM_ITEMS + 1, text_dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0.0
    return ItemFeatures(
        text=vectors.astype(np.float32),
        categories={BRAND: np.array([[0], [1], [1], [2], [2], [0]], np.int32)},
        vocabularies={BRAND: ["", "Acme", "Delft"]},
        price=np.array([np.nan, 1.0, 3.0, np.nan, 7.0, 0.0], np.float32),
    )


def data_spec(features: ItemFeatures) -> DataSpec:
    """The specification of a shop with purchases, returns and a country."""
    return DataSpec(
        num_ids=features.num_items,
        text_dimension=features.text.shape[1],
        vector_sizes={},
        use_price=True,
        categories=features.vocabularies,
        event_types=["purchase", "return"],
        target_events=["purchase"],
        return_event="return",
        contexts={COUNTRY: ["NL", "UK"]},
    )


def retrieval_model(
    *,
    encoder: BertTextTower | None = None,
    precision: str = "float32",
    frequency: np.ndarray = FREQUENCY,
    **config: object,
) -> RetrievalModel:
    """A built model without dropout, unless asked for."""
    features = five_items()
    texts = None
    if encoder is not None:
        texts = TrainedTexts(encoder, TokenRows.of(encoder, [text.encode() for text in TEXTS]))
    settings: dict = {"dimension": 8, "lstm_units": 6, "dropout": 0.0, "id_dropout": 0.0}
    model = RetrievalModel(
        Catalogue(features, encoder, texts),
        data_spec(features),
        RetrievalConfig.model_validate({**settings, **config}),
        frequency,
        precision=precision,
    )
    model.item_tower.adapt(features.text[1:], features.price[1:])
    model.build_weights()
    return model


def tiny_encoder(folder: Path, policy: Policy) -> BertTextTower | None:
    """A tiny BERT that the policy trains."""
    if policy == "frozen":
        return None
    files = find_weights(str(write_tiny_bert(folder)))
    return BertTextTower.from_files(files, policy=policy, top_n=1, max_tokens=16)


def training_batch() -> dict[str, tf.Tensor]:
    """Two shoppers: items 1, 2, 1, 3 and items 4, 5; every event but a return is a target."""
    values = {
        "item": [[1, 2, 1, 3], [4, 5, 0, 0]],
        "event": [[1, 1, 2, 1], [1, 1, 0, 0]],
        "timestamp": [[10**9, 10**9, 10**9 + 7200, 10**9 + 10**6], [10**9, 2 * 10**9, 0, 0]],
        "target": [[1, 2, 0, 3], [4, 5, 0, 0]],
        "state": [[0, 1, 2, 3], [0, 1, 0, 0]],
        f"context/{COUNTRY}": [[1, 1, 1, 1], [2, 2, 0, 0]],
    }
    return {name: tf.constant(rows, tf.int64) for name, rows in values.items()}


def randomise(model: tf.keras.Model, seed: int = 0) -> None:
    """Gives every trainable variable random values, also those that start at zero."""
    random = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0.0, 0.3, variable.shape))
