"""The steps of `tfrec train text`, on the planted shop and a tiny BERT."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from tests.monitoring.training.reading import scalars
from tests.tiny_bert import vocabulary, write_tiny_bert
from tests.training.planted_shop import small_experiment
from tfrec.config import MaskedConfig
from tfrec.errors import UserError
from tfrec.towers.bert.tokens import TokenRows
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.training import text_contrastive, text_lifecycle
from tfrec.training.run import RunDirectory
from tfrec.training.run_progress import RunProgress
from tfrec.training.text import item_text_vectors
from tfrec.training.text_contrastive import info_nce
from tfrec.training.text_distillation import fragments, principal_directions
from tfrec.training.text_lifecycle import run_text
from tfrec.training.text_masked import MaskedBatches

STEPS = {
    "masked": {"batch_texts": 8, "training": {"epochs": 3, "learning_rate": 0.002}},
    "contrastive": {
        "policy": "lora",
        "batch_pairs": 32,
        "pairs_per_epoch": 640,
        "training": {"epochs": 3, "learning_rate": 0.01},
    },
    "distil": {
        "layers": 1,
        "width": 16,
        "heads": 2,
        "fragments": 2,
        "batch_texts": 16,
        "training": {"epochs": 8, "learning_rate": 0.01},
    },
}


def experiment(folder, **changes):
    return small_experiment(folder, text_training={**STEPS, **changes})


@pytest.fixture(scope="module")
def trained(planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    config = experiment(folder)
    return folder, config, run_text(planted, folder / "run", config, distil=True)


def test_every_step_leaves_a_bert_that_the_next_one_starts_from(trained, planted):
    folder, config, steps = trained
    assert [step.name for step in steps] == ["start", "masked", "contrastive", "distil"]
    assert steps[0].bert == config.text.bert
    for before, step in itertools.pairwise(steps):
        run = RunDirectory.open(folder / "run", f"text_{step.name}")
        assert run.config.text.bert == before.bert
        assert step.bert == str(run.path / "bert")
        text = config.text.model_copy(update={"bert": step.bert})
        vectors = item_text_vectors(planted, text)
        assert vectors.shape == (planted.num_items, 16 if step.name == "distil" else 32)
        assert np.all(np.isfinite(vectors))
        assert {"text_recall@20", "text_ndcg@10"} <= set(step.metrics)


def test_masked_pre_training_guesses_better_and_moves_every_weight(trained):
    folder, config, steps = trained
    curve = scalars(folder / "run" / "text_masked" / "logs")["validation/mlm_loss"]
    assert steps[1].metrics["mlm_loss"] == pytest.approx(min(curve.values()), abs=1e-4)
    assert min(curve.values()) < curve[0] - 0.1
    before = load_file(f"{config.text.bert}/model.safetensors")
    after = load_file(f"{steps[1].bert}/model.safetensors")
    still = {name for name in after if np.array_equal(before[name], after[name])}
    assert {name.split(".")[0] for name in still} == {"pooler"}


def test_contrastive_fine_tuning_brings_together_what_is_bought_together(trained):
    folder, _, steps = trained
    curve = scalars(folder / "run" / "text_contrastive" / "logs")["validation/pair_recall@20"]
    assert steps[2].metrics["pair_recall@20"] > curve[0] + 0.08
    before = load_file(f"{steps[1].bert}/model.safetensors")
    after = load_file(f"{steps[2].bert}/model.safetensors")
    moved = {name for name in after if not np.array_equal(before[name], after[name])}
    expected = {
        f"encoder.layer.{layer}.attention.self.{part}.weight"
        for layer in range(2)
        for part in ("query", "value")
    }
    assert moved == expected


def test_distillation_comes_near_to_the_large_bert(trained):
    folder, _, steps = trained
    curve = scalars(folder / "run" / "text_distil" / "logs")["validation/cosine"]
    assert steps[3].metrics["cosine"] == pytest.approx(max(curve.values()), abs=1e-5)
    assert steps[3].metrics["cosine"] > curve[0] + 0.05
    assert 0.2 < steps[3].metrics["neighbours@10"] <= 1.0
    assert steps[3].metrics["texts_per_second"] > 0


def test_the_seed_decides_where_a_step_starts(planted, tmp_path):
    once = {"epochs": 1, "learning_rate": 1e-9, "tensorboard": False}
    config = experiment(tmp_path, steps=["distil"], distil={**STEPS["distil"], "training": once})
    found = []
    for number in range(2):
        tf.keras.utils.set_random_seed(number)  # What ran before in the process.
        (_, step) = run_text(planted, tmp_path / f"run{number}", config)
        text = config.text.model_copy(update={"bert": step.bert})
        found.append(item_text_vectors(planted, text))
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_what_is_finished_is_not_done_again(trained, planted, monkeypatch):
    folder, config, steps = trained
    monkeypatch.setattr(text_lifecycle, "_STEPS", {})
    again = run_text(planted, folder / "run", config, distil=True)
    assert [(step.name, step.bert) for step in again] == [(s.name, s.bert) for s in steps]
    other = config.model_copy(update={"seed": 4})
    with pytest.raises(UserError, match="already holds a finished run"):
        run_text(planted, folder / "run", other)


def test_a_step_that_was_stopped_goes_on(planted, tmp_path, monkeypatch):
    training = {**STEPS["contrastive"]["training"], "epochs": 2}
    contrastive = {**STEPS["contrastive"], "training": training}
    config = experiment(tmp_path, steps=["contrastive"], contrastive=contrastive)

    class Stop(RunProgress):
        def step_taken(self, report):
            if report.step == 25:  # in the second epoch
                raise KeyboardInterrupt

    monkeypatch.setattr(text_contrastive, "RunProgress", Stop)
    with pytest.raises(KeyboardInterrupt):
        run_text(planted, tmp_path / "run", config)
    monkeypatch.undo()
    steps = run_text(planted, tmp_path / "run", config)
    record = RunDirectory.open(tmp_path / "run", "text_contrastive").record["training"]
    assert (record["epochs"], record["steps"]) == (2, 40)
    curve = scalars(tmp_path / "run" / "text_contrastive" / "logs")["validation/pair_recall@20"]
    assert list(curve) == [0, 20, 40]
    assert steps[1].metrics["pair_recall@20"] > curve[0]


def test_masked_batches_hide_what_they_say_and_come_again(tmp_path):
    tower = BertTextTower.from_files(find_weights(write_tiny_bert(tmp_path)), max_tokens=16)
    texts = [b"red cotton dress", b"usb cable for the lamp", b"blue lamp shade", b""]
    tokens = TokenRows.of(tower, texts)
    batches = MaskedBatches(tower, tokens, MaskedConfig(share=0.4, batch_texts=2), seed=1)
    made = list(batches.epoch(np.arange(4), epoch=0))
    assert len(made) == batches.count(np.arange(4)) == 2
    rows = {tuple(row) for row in tokens.padded(np.arange(4))[0].tolist()}
    hidden = 0
    for batch in made:
        token_ids = batch["token_ids"].numpy()
        places, answers = batch["places"].numpy(), batch["answers"].numpy()
        assert np.all(places % token_ids.shape[1] > 0)  # never [CLS]
        token_ids.ravel()[places] = answers
        hidden += len(answers)
        padded = np.pad(token_ids, [(0, 0), (0, 7 - token_ids.shape[1])])
        assert {tuple(row) for row in padded.tolist()} <= rows
    # Two of three, two of five and two of three words, and none of the empty text.
    assert hidden == 6
    again = list(batches.epoch(np.arange(4), epoch=0, skip=1))
    np.testing.assert_array_equal(again[0]["token_ids"], made[1]["token_ids"])


def test_a_vocabulary_without_a_mask_is_a_user_error(tmp_path):
    pieces = [piece for piece in vocabulary() if piece != "[MASK]"]
    files = find_weights(write_tiny_bert(tmp_path, tokens=pieces))
    tower = BertTextTower.from_files(files, max_tokens=16)
    with pytest.raises(UserError, match=r"has no \[MASK\].*leave the step `masked` out"):
        MaskedBatches(tower, TokenRows.of(tower, [b"red"]), MaskedConfig(), seed=0)


def test_info_nce_by_hand():
    """Rows ask for items 1, 2 and 1; columns offer 5, 1 and 6."""
    logits = tf.math.log([[0.5, 9.0, 0.5], [0.2, 0.6, 0.2], [0.25, 9.0, 0.75]])
    losses = info_nce(logits, tf.constant([1, 2, 1]), tf.constant([5, 1, 6]))
    # Rows 1 and 3 must not be told that their own item is wrong: 1/2 and 3/4 are left.
    np.testing.assert_allclose(losses, -np.log([1 / 2, 3 / 5, 3 / 4]), rtol=1e-5)
    # The same answer twice is no negative example: 3/4 of row 1, 1/2 of row 2.
    logits = tf.math.log([[0.75, 9.0, 0.25], [9.0, 0.5, 0.5], [1.0, 1.0, 2.0]])
    losses = info_nce(logits, tf.constant([1, 2, 3]), tf.constant([7, 7, 8]))
    np.testing.assert_allclose(losses, -np.log([3 / 4, 1 / 2, 1 / 2]), rtol=1e-5)


def test_principal_directions_keep_dot_products_of_a_plane():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(20, 2)) @ random.normal(size=(2, 5))
    basis = principal_directions(vectors, 2)
    small = vectors @ basis
    np.testing.assert_allclose(small @ small.T, vectors @ vectors.T, atol=1e-5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-6)
    assert not principal_directions(vectors, 7)[:, 5:].any()


def test_principal_directions_of_repeated_vectors():
    vectors = np.random.default_rng(3).normal(size=(9, 4)).astype(np.float32)
    repeats = np.array([1, 5, 1, 1, 9, 2, 1, 1, 3])
    found = principal_directions(vectors, 2, repeats)
    expected = principal_directions(np.repeat(vectors, repeats, axis=0), 2)
    np.testing.assert_allclose(np.abs(expected.T @ found), np.eye(2), atol=1e-5)


def test_fragments_are_runs_of_words_and_no_whole_text():
    texts = ["red cotton dress", "lamp", "red cotton"]
    made = fragments(texts, 20, seed=0)
    assert set(made) == {"red", "cotton", "dress", "cotton dress"}
    assert made == fragments(texts, 20, seed=0)
    assert fragments(texts, 0, seed=0) == []
