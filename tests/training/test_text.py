"""The texts of a training run: kept activations, refreshed vectors, the BERT's learning rate."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.small_model import TEXTS, retrieval_model, tiny_encoder
from tests.training.planted_shop import small_experiment
from tfrec.config import TextConfig
from tfrec.monitoring.training.observer import StepReport
from tfrec.training import text as module
from tfrec.training.text import (
    TextRefresh,
    encode_all,
    item_text_vectors,
    text_learning_rates,
    trained_texts,
)


def report(step):
    return StepReport(step=step, batch={}, figures={}, seconds=0.0, wait_seconds=0.0)


def test_vectors_are_refreshed_when_it_is_time(tmp_path):
    encoder = tiny_encoder(tmp_path / "bert", "top-n")
    catalogue = retrieval_model(encoder=encoder).catalogue
    for variable in encoder.trainable_variables:
        variable.assign_add(tf.ones_like(variable) * 0.1)
    before = catalogue.text.numpy()
    refresh = TextRefresh(catalogue, steps=3)
    for step in (1, 2):
        refresh.step_taken(report(step))
    np.testing.assert_array_equal(catalogue.text, before)
    refresh.step_taken(report(3))
    np.testing.assert_allclose(catalogue.text[1:], encode_all(encoder, TEXTS), atol=1e-6)
    never = TextRefresh(catalogue, steps=0)
    catalogue.set_text(before[1:])
    never.step_taken(report(3))
    np.testing.assert_array_equal(catalogue.text, before)


def test_activations_are_kept_beside_the_vectors(planted, tmp_path, monkeypatch):
    config = small_experiment(
        tmp_path, text={"policy": "lora", "top_n": 1, "cache_dir": str(tmp_path / "cache")}
    ).text
    texts = trained_texts(planted, config)
    (kept,) = (tmp_path / "cache" / "activations").glob("*.npy")
    assert np.load(kept).shape == (len(texts.tokens.flat), 32)
    np.testing.assert_allclose(texts.encode_all(), item_text_vectors(planted, config), atol=1e-5)

    def never(*_):
        raise AssertionError("these activations are kept")

    monkeypatch.setattr(module, "frozen_activations", never)
    again = trained_texts(planted, config)
    np.testing.assert_allclose(again.encode_all(), texts.encode_all(), atol=1e-6)
    # Another policy of the same layers has the same activations; other layers have others.
    trained_texts(planted, config.model_copy(update={"policy": "top-n"}))
    with pytest.raises(AssertionError, match="these activations are kept"):
        trained_texts(planted, config.model_copy(update={"top_n": 2}))


def test_a_frozen_bert_has_no_texts_to_train_on(planted):
    assert trained_texts(planted, TextConfig()) is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {}),
        ({"learning_rate": 1e-5}, {}),
        ({"policy": "lora"}, {}),
        ({"policy": "lora", "learning_rate": 1e-5}, {"text_encoder": 1e-5}),
    ],
)
def test_the_bert_has_its_own_learning_rate_where_it_trains(settings, expected):
    assert text_learning_rates(TextConfig(**settings)) == expected
