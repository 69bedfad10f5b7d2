"""The ranking model learns from the retrieval model's candidates, and its chances hold."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.training.conftest import create_run
from tests.training.planted_shop import RETURNED, small_experiment
from tfrec.config import RankingConfig
from tfrec.errors import UserError
from tfrec.models.ranking import RankingModel
from tfrec.towers.histories import pad_histories
from tfrec.training.candidate_lists import (
    CandidateLists,
    drawn_shoppers,
    holdout_shoppers,
    list_batches,
)
from tfrec.training.loading import TrainedRun
from tfrec.training.own_lists import ListMaker
from tfrec.training.ranking import calibrate, load_ranker, train_ranking
from tfrec.training.ranking_validation import TRUST, RankingValidation, predict


@pytest.fixture(scope="module")
def trained(planted_run):
    return TrainedRun.open(planted_run.path)


def test_returns_are_learned(planted_run, trained):
    """Every other purchase of some items comes back, and hardly one of the rest."""
    histories = planted_run.dataset.histories("test")
    items, _, chances = trained.recommender().recommend(
        pad_histories(histories, 100), tf.zeros([len(histories), 1], tf.int64)
    )
    ids = planted_run.dataset.items["item_id"].to_numpy()
    comes_back = np.isin(ids, sorted(RETURNED))[items.numpy() - 1]
    # The chance is that of a purchase, so it is asked where there was one.
    bought = np.array(
        [
            np.isin(items[row], histories.target_item[histories.targets(row)])
            for row in range(len(histories))
        ]
    )
    chance = chances["return"].numpy()
    assert chance[bought & comes_back].mean() > 2 * chance[bought & ~comes_back].mean()


def test_of_very_many_shoppers_some_are_drawn(planted_run):
    valid = planted_run.dataset.histories("valid")
    assert drawn_shoppers(valid, len(valid), seed=1) is valid
    drawn, again, other = (drawn_shoppers(valid, 20, seed=seed) for seed in (1, 1, 2))
    assert len(drawn) == len(set(drawn.user)) == 20
    assert drawn.user.tolist() == [user for user in valid.user if user in set(drawn.user)]
    assert drawn.user.tolist() == again.user.tolist() != other.user.tolist()


def test_quality_on_held_out_shoppers(planted_run):
    quality = planted_run.quality
    assert quality["auc/purchase"] > 0.8
    assert quality["auc/return"] > 0.7
    assert quality["calibration_error/purchase"] < 0.05
    assert set(quality) == {
        f"{name}/{event}"
        for name in ("auc", "log_loss", "calibration_error")
        for event in ("purchase", "return")
    } | {"new_item_factor", "new_items_ndcg@10", "other_items_ndcg@10"}


def test_training_improves_on_the_first_stage(planted_run):
    """Epoch 0 is the order of the first stage, so only a better one takes its place."""
    assert planted_run.ranking.best_epoch > 0


def stub_model(events=("purchase", "return")):
    """A model whose logits are the features, with a calibration to fit."""

    class Stub:
        def __init__(self):
            self.events = list(events)
            self.target_events, self.return_event = [events[0]], events[1]
            self.calibration = {event: tf.Variable([1.0, 0.0]) for event in events}

        def __call__(self, features):
            return {event: features[..., place] for place, event in enumerate(events)}

    return Stub()


def distorted_lists(slope, offset, seed=0, lists=400, candidates=50):
    """Labels drawn with probability sigmoid(slope * logit + offset); events are conditional."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2.0, size=(lists, candidates, 2)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(np.array(slope) * logits + np.array(offset))))
    labels = (random.random(chance.shape) < chance).astype(np.float32)
    ones = np.ones((lists, candidates), np.float32)
    return CandidateLists(
        np.ones((lists, candidates), np.int32),
        np.arange(lists),
        np.zeros(lists, bool),
        logits,
        ones,
        ones.copy(),
        {"purchase": labels[..., 0], "return": labels[..., 1]},
        ones[:, 0],
        ones,
        np.zeros(lists, np.int64),
    )


def test_calibration_recovers_a_known_distortion():
    model = stub_model()
    quality = calibrate(model, distorted_lists(slope=(0.4, 2.0), offset=(-1.0, 0.7)))
    np.testing.assert_allclose(model.calibration["purchase"], [0.4, -1.0], atol=0.05)
    # Returns count where something was bought: about a third of the examples.
    np.testing.assert_allclose(model.calibration["return"], [2.0, 0.7], atol=0.15)
    assert quality["calibration_error/purchase"] < 0.02
    assert quality["calibration_error/return"] < 0.02
    assert quality["auc/return"] > 0.8


def test_calibration_reads_retrieved_and_bought_candidates_only():
    model, lists = stub_model(), distorted_lists(slope=(1.0, 1.0), offset=(0.0, 0.0))
    lists.retrieved[:, 25:] = 0.0
    lists.labels["purchase"][:, 25:] = 1.0
    # Nonsense where nothing was bought.
    lists.labels["return"][lists.labels["purchase"] == 0] = 1.0
    calibrate(model, lists)
    np.testing.assert_allclose(model.calibration["purchase"], [1.0, 0.0], atol=0.08)
    np.testing.assert_allclose(model.calibration["return"], [1.0, 0.0], atol=0.15)


def test_calibration_keeps_the_order_even_of_a_useless_head():
    model = stub_model()
    calibrate(model, distorted_lists(slope=(-0.5, 1.0), offset=(0.0, 0.0)))
    assert float(model.calibration["purchase"][0]) > 0


def test_an_event_that_never_happened_keeps_the_identity():
    model, lists = stub_model(), distorted_lists(slope=(1.0, 1.0), offset=(0.5, 0.0))
    lists.labels["return"][:] = 0.0
    quality = calibrate(model, lists)
    assert model.calibration["return"].numpy().tolist() == [1.0, 0.0]
    assert not [name for name in quality if name.endswith("/return")]


def test_holdout_is_a_share_that_the_hash_decides():
    random = np.random.default_rng(0)
    users = np.array([f"{number:016x}" for number in random.integers(0, 2**64, 4000, np.uint64)])
    held_out = holdout_shoppers(SimpleNamespace(user=users), 0.25)
    assert held_out.mean() == pytest.approx(0.25, abs=0.03)
    again = holdout_shoppers(SimpleNamespace(user=users[::-1]), 0.25)
    assert np.array_equal(again, held_out[::-1])
    # A larger share holds the smaller one.
    assert (holdout_shoppers(SimpleNamespace(user=users), 0.5) >= held_out).all()
    edges = SimpleNamespace(user=np.array(["0" * 16, "7fffffff" + "f" * 8, "80000000" + "0" * 8]))
    assert holdout_shoppers(edges, 0.5).tolist() == [True, True, False]


def test_batches_hold_every_list_once_in_an_order_of_the_seed():
    lists = distorted_lists((1, 1), (0, 0), lists=10, candidates=3)

    def firsts(seed):
        batches = list(list_batches(lists, 4, seed))
        assert [len(batch["present"]) for batch in batches] == [4, 4, 2]
        for batch in batches:
            assert set(batch) == {"features", "present", "label/purchase", "label/return"}
        return np.concatenate([batch["features"][:, 0, 0] for batch in batches])

    np.testing.assert_array_equal(np.sort(firsts(1)), np.sort(lists.features[:, 0, 0]))
    np.testing.assert_array_equal(firsts(1), firsts(1))
    assert not np.array_equal(firsts(1), firsts(2))


def test_loaded_ranker_scores_as_the_trained_one(planted_run, trained):
    """The quality on the held-out lists is the one that training reported."""
    folder = planted_run.path / "ranking"
    ranker = load_ranker(folder, trained.retrieval, planted_run.config.ranking)
    holdout = CandidateLists.load(folder / "lists" / "holdout", ranker.model.events)
    for event in ranker.model.events:
        ranker.model.calibration[event].assign([1.0, 0.0])
    # Fitting again from the raw logits must find the same figures.
    found = calibrate(ranker.model, holdout)
    assert found == pytest.approx({name: planted_run.quality[name] for name in found}, abs=1e-4)
    factor = float(ranker.model.new_item_factor)
    assert factor == pytest.approx(planted_run.quality["new_item_factor"])


def test_training_goes_on_with_the_lists_that_were_made(
    planted_run, trained, tmp_path, monkeypatch
):
    config = small_experiment(tmp_path, ranking={"training": {"epochs": 1}})
    dataset = planted_run.dataset

    def run():
        return create_run(tmp_path / "run", "ranking", config, dataset)

    train_ranking(dataset, trained.retrieval, run(), config)
    made = (run().path / "lists" / "train" / "features.npy").stat().st_mtime_ns

    def none(*_, **__):
        raise AssertionError("the lists are there")

    monkeypatch.setattr(ListMaker, "make", none)
    assert run().resumed
    train_ranking(dataset, trained.retrieval, run(), config)
    assert (run().path / "lists" / "train" / "features.npy").stat().st_mtime_ns == made

    # Lists of another retrieval model are no use.
    record = run().path / "features.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"retrieval": "another"}))
    with pytest.raises(AssertionError, match="the lists are there"):
        train_ranking(dataset, trained.retrieval, run(), config)


def test_features_of_another_version_are_named(planted_run, trained, tmp_path):
    folder = tmp_path / "ranking"
    shutil.copytree(planted_run.path / "ranking", folder)
    record = folder / "features.json"
    spec = json.loads(record.read_text())
    record.write_text(json.dumps(spec | {"features": spec["features"][:-1]}))
    with pytest.raises(UserError, match="reads other features than this version of tfrec"):
        load_ranker(folder, trained.retrieval, RankingConfig())


@pytest.mark.parametrize("share", [1e-9, 0.999999])
def test_too_few_shoppers_to_hold_some_out(planted_run, trained, tmp_path, share):
    config = small_experiment(tmp_path, ranking={"holdout": share})
    run = create_run(tmp_path / "run", "ranking", config, planted_run.dataset)
    with pytest.raises(UserError, match=r"240 shoppers in the validation split are too few"):
        train_ranking(planted_run.dataset, trained.retrieval, run, config)
    assert not (run.path / "lists").exists()


def test_mixed_precision_trains_and_loads_in_float32(planted_run, trained, tmp_path):
    config = small_experiment(
        tmp_path, ranking={"training": {"mixed_precision": True, "epochs": 2}}
    )
    run = create_run(tmp_path / "run", "ranking", config, planted_run.dataset)
    summary, quality = train_ranking(planted_run.dataset, trained.retrieval, run, config)
    assert summary.best_score > 0.8 * planted_run.ranking.best_score
    ranker = load_ranker(run.path, trained.retrieval, config.ranking)
    assert ranker.model.dropout.compute_dtype == "float32"
    holdout = CandidateLists.load(run.path / "lists" / "holdout", ranker.model.events)
    again = calibrate(ranker.model, holdout)
    assert again["auc/purchase"] == pytest.approx(quality["auc/purchase"], abs=0.02)


def test_validation_trusts_corrections_as_far_as_they_help(planted_run, trained):
    """Corrections that are half right are halved; those that only harm are trusted the least."""
    model = trained.ranker.model
    lists = planted_run.path / "ranking" / "lists" / "holdout"
    holdout = CandidateLists.load(lists, model.events)
    validate = RankingValidation(model, holdout)
    before = model.trust.numpy()
    best = validate()["ndcg@10"]
    assert validate.measure() == best
    chosen = float(model.trust.numpy())
    for trust in TRUST:
        model.trust.assign(trust)
        assert validate.measure() <= best
    model.trust.assign(0.0)
    first = predict(model, holdout)["purchase"]
    place = trained.ranker.features.names.index("retrieval_log_probability")
    np.testing.assert_allclose(first, holdout.features[..., place], atol=1e-5)
    model.trust.assign(before)
    assert chosen in TRUST


def test_without_event_loss_lists_alone_are_trained(planted_run, trained):
    model = RankingModel(
        4, ["purchase"], "return", planted_run.config.ranking.model_copy(update={"event_loss": 0.0})
    )
    batch = {
        "features": tf.ones([1, 2, 4]),
        "present": tf.ones([1, 2]),
        "label/purchase": tf.constant([[1.0, 0.0]]),
        "label/return": tf.constant([[1.0, 0.0]]),
    }
    assert set(model.loss_parts(batch)) == {"list_purchase", "event_return"}
