"""The retrieval model learns what the shop holds, loads as it was, and survives a kill."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from tests.monitoring.training.reading import scalars
from tests.training.conftest import create_run
from tests.training.planted_shop import small_experiment
from tfrec.config import EvaluationConfig, dump_config
from tfrec.errors import UserError
from tfrec.evaluation import Popularity, evaluate
from tfrec.models.scorers import RetrievalScorer
from tfrec.training.retrieval import (
    item_frequency,
    load_retrieval,
    load_text_vectors,
    train_retrieval,
    weights_fingerprint,
)
from tfrec.training.retrieval_validation import RetrievalValidation
from tfrec.training.text import encode_all, item_text_vectors


def test_learns_the_planted_rule(planted_run):
    """Nine purchases of ten are of the item after the last one; popularity knows nothing of it."""
    dataset, config = planted_run.dataset, EvaluationConfig(cutoffs=[1, 5], repeats="count")
    model = load_retrieval(planted_run.path / "retrieval", planted_run.config, dataset.items)
    trained = evaluate(RetrievalScorer(model), dataset, "test", config).metrics
    popular = evaluate(
        Popularity(dataset.items["train_events"].to_numpy()), dataset, "test", config
    ).metrics
    assert trained["recall@5"] > 3 * popular["recall@5"]
    assert trained["ndcg@5"] > 0.5
    # The first item of the next period is the successor of the last one, mostly.
    assert trained["mrr@1"] > 0.6


def test_loaded_model_is_the_one_that_was_validated_best(planted_run):
    model = load_retrieval(
        planted_run.path / "retrieval", planted_run.config, planted_run.dataset.items
    )
    score = RetrievalValidation(model, planted_run.dataset, planted_run.config.evaluation, 3)()
    assert score["ndcg@10"] == pytest.approx(planted_run.retrieval.best_score, abs=1e-6)


def test_new_items_follow_those_of_the_run(planted_run):
    items = planted_run.dataset.items
    vectors = load_text_vectors(planted_run.path / "retrieval")
    assert vectors.shape == (len(items), 32)
    more = items.sample(2, random_state=0)
    extended = tf.concat([vectors, vectors[[5, 6]]], axis=0).numpy()
    model, again = (
        load_retrieval(planted_run.path / "retrieval", planted_run.config, table, texts)
        for table, texts in (
            (items, vectors),
            (pd.concat([items, more], ignore_index=True), extended),
        )
    )
    np.testing.assert_allclose(again.item_vectors()[:-2], model.item_vectors(), atol=1e-6)
    # Items that were not trained are placed by their text alone.
    text_only = again.item_vectors()[-2:].numpy()
    assert np.abs(text_only - model.item_vectors()[6:8]).max() > 0.01
    np.testing.assert_allclose(np.linalg.norm(text_only, axis=1), 1.0, atol=1e-5)


def test_weights_tell_models_apart(planted_run):
    folder, items = planted_run.path / "retrieval", planted_run.dataset.items
    model = load_retrieval(folder, planted_run.config, items)
    fingerprint = weights_fingerprint(model)
    assert fingerprint == weights_fingerprint(load_retrieval(folder, planted_run.config, items))
    model.item_tower.id_offset.assign_add(tf.ones_like(model.item_tower.id_offset) * 1e-6)
    assert weights_fingerprint(model) != fingerprint


def test_frequency_is_the_share_of_training_targets(planted_run):
    frequency = item_frequency(planted_run.dataset)
    histories = planted_run.dataset.histories("train")
    bought = histories.item[np.isin(histories.event, planted_run.dataset.target_event_indices)]
    np.testing.assert_allclose(
        frequency, np.bincount(bought, minlength=len(frequency)) / len(bought)
    )
    assert frequency[0] == 0 and frequency.sum() == pytest.approx(1)


def test_other_settings_learn_too(planted, tmp_path):
    config = small_experiment(
        tmp_path,
        retrieval={
            "negatives": "sampled",
            "sampled_negatives": 30,
            "logq_correction": "negatives",
            "cross_batch_memory": 200,
            "learned_temperature": True,
            "label_smoothing": 0.01,
            "event_weights": {"purchase": 2.0},
            "lstm_layer_norm": True,
            "state_attention": 2,
            "time_gaps": False,
            "event_features": False,
            "event_dropout": 0.1,
            "event_reorder": 0.2,
            "target": "next_basket",
            "shuffle_baskets": True,
            "training": {"epochs": 2, "mixed_precision": True},
        },
    )
    run = create_run(tmp_path / "run", "retrieval", config, planted)
    summary = train_retrieval(planted, run, config)
    # In an order at random the first ten of forty items score about 0.13.
    assert summary.best_score > 0.25
    model = load_retrieval(run.path, config, planted.items)
    assert model.item_tower.compute_dtype == "float32", "mixed precision is for training only"
    assert abs(float(model.temperature) - config.retrieval.temperature) > 1e-3
    # A training that goes on remembers its last steps; what it leaves does not.
    remembered = "cross_batch_memory/items/.ATTRIBUTES/VARIABLE_VALUE"
    last = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run.path / "last")))
    assert last.get_tensor(remembered).all()
    assert not tf.train.load_checkpoint(str(run.path / "weights")).has_tensor(remembered)
    assert not model.training_state
    score = RetrievalValidation(model, planted, config.evaluation, config.seed)()["ndcg@10"]
    assert score == pytest.approx(summary.best_score, abs=0.02)


TRAIN = """
import sys
from pathlib import Path
from tests.training.conftest import create_run
from tfrec.config import load_config
from tfrec.data.dataset import PreparedDataset
from tfrec.training import loop
from tfrec.training.retrieval import train_retrieval

loop.SECONDS_BETWEEN_CHECKPOINTS = -1.0
dataset, config = PreparedDataset.open(sys.argv[1]), load_config(Path(sys.argv[2]))
run = create_run(Path(sys.argv[3]), "retrieval", config, dataset)
train_retrieval(dataset, run, config)
"""


def test_killed_training_goes_on_where_it_was(planted, planted_run, tmp_path):
    config = planted_run.config
    (tmp_path / "config.yaml").write_text(dump_config(config))
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, planted.path, tmp_path / "config.yaml", tmp_path / "run"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    last = tmp_path / "run" / "retrieval" / "last"
    try:
        deadline = time.monotonic() + 240
        # A quarter of the first epoch, in the last checkpoint that is whole.
        while int((tf.train.latest_checkpoint(str(last)) or "ckpt-0").split("-")[-1]) < 3:
            assert process.poll() is None, "the training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    state = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(last)))
    assert state.get_tensor("step_in_epoch/.ATTRIBUTES/VARIABLE_VALUE") >= 3

    run = create_run(tmp_path / "run", "retrieval", config, planted)
    assert run.resumed
    summary = train_retrieval(planted, run, config)
    expected = planted_run.retrieval
    assert (summary.epochs, summary.steps) == (expected.epochs, expected.steps)
    # Dropout draws other numbers after a start, so the scores are near and not the same.
    assert summary.best_score == pytest.approx(expected.best_score, abs=0.06)


def test_a_trained_text_encoder_is_validated_and_kept_as_it_serves(planted, tmp_path):
    """Texts are encoded anew, without dropout, for validation, and so they are in the run."""
    config = small_experiment(
        tmp_path,
        text={"policy": "top-n", "top_n": 1},
        retrieval={"max_history": 6, "training": {"epochs": 1}},
    )
    texts = planted.items["text"].tolist()
    run = create_run(tmp_path / "run", "retrieval", config, planted)
    summary = train_retrieval(planted, run, config)
    model = load_retrieval(run.path, config, planted.items)
    encoder = model.catalogue.text_encoder
    np.testing.assert_allclose(load_text_vectors(run.path), encode_all(encoder, texts))
    score = RetrievalValidation(model, planted, config.evaluation, config.seed)()
    assert score["ndcg@10"] == pytest.approx(summary.best_score, abs=1e-6)
    # A training that goes on goes on with the vectors of its weights.
    last = tf.train.latest_checkpoint(str(run.path / "last"))
    tf.train.Checkpoint(**model.parts).read(last).expect_partial()
    name = "text_vectors/.ATTRIBUTES/VARIABLE_VALUE"
    kept = tf.train.load_checkpoint(last).get_tensor(name)[1:]
    np.testing.assert_allclose(kept, encode_all(encoder, texts), atol=1e-6)
    assert np.abs(kept - item_text_vectors(planted, config.text)).max() > 0.01
    # TensorBoard shows how far the text tower has moved.
    found = scalars(run.path / "logs")
    (layer,) = [tag for tag in found if tag.startswith("text_drift/weights_")]
    for tag in ("text_drift/mean_of_vectors", layer):
        assert found[tag][0] == pytest.approx(0, abs=1e-6)
        assert found[tag][summary.steps] > 1e-5


class TestOnlyRePurchases:
    """A shop whose validation shoppers buy nothing that they have not had before."""

    @pytest.fixture
    def shop(self, planted, monkeypatch):
        valid = planted.histories("valid")
        shoppers = np.flatnonzero(valid.lengths > 0)
        histories = valid.select(shoppers)
        first = histories.item[histories.offsets[:-1]]
        again = dataclasses.replace(
            histories,
            target_offsets=np.arange(len(first) + 1),
            target_item=first,
            target_event=np.full(len(first), planted.target_event_indices[0], np.int32),
            target_timestamp=np.zeros(len(first), np.int64),
        )
        train = planted.histories("train")
        monkeypatch.setattr(
            type(planted), "histories", lambda self, split: again if split == "valid" else train
        )
        return planted

    def test_are_the_measure_where_they_count(self, shop, planted_run):
        model = load_retrieval(planted_run.path / "retrieval", planted_run.config, shop.items)
        scores = RetrievalValidation(model, shop, EvaluationConfig(repeats="count"), 3)()
        assert list(scores) == ["ndcg@10", "ndcg@10/count"]
        assert scores["ndcg@10"] == pytest.approx(scores["ndcg@10/count"])
        assert scores["ndcg@10"] > 0

    def test_leave_nothing_to_measure_where_they_do_not(self, shop, planted_run):
        model = load_retrieval(planted_run.path / "retrieval", planted_run.config, shop.items)
        with pytest.raises(UserError, match=r"no shopper with a target .*repeats=exclude"):
            RetrievalValidation(model, shop, EvaluationConfig(repeats="exclude"), 3)


def test_a_shop_without_validation_targets(planted, tmp_path, monkeypatch):
    config = small_experiment(tmp_path)
    valid = planted.histories("valid").select(np.zeros(0, np.int64))
    train = planted.histories("train")
    monkeypatch.setattr(
        type(planted), "histories", lambda self, split: valid if split == "valid" else train
    )
    run = create_run(tmp_path / "run", "retrieval", config, planted)
    with pytest.raises(UserError, match="the split `valid` has no shopper with a target"):
        train_retrieval(planted, run, config)
