"""A shop's retrieval model starts from another shop's: what fits is taken, the rest is named."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_bert import write_tiny_bert
from tests.training.planted_shop import prepare_planted
from tfrec.config import ExperimentConfig, TransferConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.models.retrieval import RetrievalModel
from tfrec.towers.catalogue import Catalogue
from tfrec.towers.features import ItemFeatures
from tfrec.towers.spec import DataSpec
from tfrec.training.retrieval import WEIGHTS, load_retrieval, load_text_vectors
from tfrec.training.run import RunDirectory
from tfrec.training.stages import run_ranking, run_retrieval
from tfrec.training.text import item_text_vectors
from tfrec.training.transfer import VALUE, SourceRun, event_rows, shared_rows
from tfrec.training.trust import Trust, aligned, untrained_projection
from tfrec.updating.lineage import Need, source_need


@dataclasses.dataclass(frozen=True)
class Shops:
    """A finished content-only run, and another shop that may start from it."""

    source: Path
    score: float
    config: ExperimentConfig
    target: PreparedDataset


@pytest.fixture(scope="module")
def shops(planted, planted_run, tmp_path_factory) -> Shops:
    folder = tmp_path_factory.mktemp("transfer")
    config = changed(planted_run.config, content_only=True, history_averages=[1.0, 0.5])
    _, summary = run_retrieval(planted, folder / "source", config)
    target = prepare_planted(folder / "target", shoppers=30)
    return Shops(folder / "source", summary.best_score, config, target)


def changed(config: ExperimentConfig, epochs: int | None = None, **retrieval) -> ExperimentConfig:
    training = config.retrieval.training
    if epochs is not None:
        training = training.model_copy(update={"epochs": epochs})
    section = config.retrieval.model_copy(update={**retrieval, "training": training})
    return config.model_copy(update={"retrieval": section})


def started(shops: Shops, out: Path, config: ExperimentConfig) -> tuple[RetrievalModel, float]:
    """Returns the model of the target shop that starts from the source, and its score."""
    run, summary = run_retrieval(shops.target, out, config, start_from=shops.source)
    return load_retrieval(run.path, config, shops.target.items), summary.best_score


def test_shared_names_are_found_by_position():
    old, new = shared_rows(["", "red", "blue", "green"], ["", "green", "pink", "red"])
    np.testing.assert_array_equal(old, [3, 1])
    np.testing.assert_array_equal(new, [1, 3])


def test_nothing_in_common_gives_no_rows():
    old, new = shared_rows(["", "red"], ["", "blue"])
    assert len(old) == len(new) == 0


def test_event_types_keep_their_rows_and_new_ones_begin_as_the_mean_of_the_targets():
    table = np.array([[0.0], [1.0], [3.0], [50.0]])
    rows = event_rows(table, ["view", "purchase", "return"], ["view", "purchase"], ["return", "x"])
    np.testing.assert_array_equal(rows, [[0.0], [50.0], [2.0]])


def test_content_only_model_knows_neither_ids_nor_categories(shops):
    source = SourceRun.open(shops.source)
    assert source.weights["item_tower/id_offset"].shape[0] == 1
    assert not any(name.startswith("item_tower/category") for name in source.weights)
    assert source.spec.categories["brand"], "the data set has categories"


def test_knowledge_arrives_without_a_step_of_training(shops, tmp_path):
    """A rule of one shop's shoppers is known of another's, whose items have such texts too."""
    everything = TransferConfig(text_trust=1.0, lstm_trust=1.0)
    config = changed(shops.config, epochs=0).model_copy(update={"transfer": everything})
    model, zero_shot = started(shops, tmp_path / "run", config)
    # In an order at random the first ten of forty items score about 0.13.
    assert zero_shot > 0.3
    assert zero_shot > 0.6 * shops.score
    source = SourceRun.open(shops.source)
    np.testing.assert_array_equal(
        model.item_tower.text_projection, source.weights["item_tower/text_projection"]
    )
    np.testing.assert_allclose(
        model.item_tower.price_projection, source.weights["item_tower/price_projection"]
    )
    np.testing.assert_array_equal(
        model.query_tower.behaviour.lstms[0].cell.kernel,
        source.weights["query_tower/behaviour/lstms/0/cell/kernel"],
    )


def test_training_goes_on_with_ids_and_says_where_it_came_from(shops, tmp_path):
    config = changed(shops.config, epochs=1, content_only=False)
    _, score = started(shops, tmp_path / "run", config)
    last = tf.train.load_checkpoint(str(tmp_path / "run" / "retrieval" / "last"))
    offsets = last.get_tensor("item_tower/id_offset/.ATTRIBUTES/VARIABLE_VALUE")
    assert offsets.shape[0] == 41 and np.abs(offsets).max() > 0, "ids are learned on top"
    run = RunDirectory.open(tmp_path / "run", "retrieval")
    told = run.record["started_from"]
    assert told["run"] == str(shops.source)
    assert told["dataset"] == RunDirectory.open(shops.source, "retrieval").dataset_checksum
    assert len(told["weights"]) == 64
    _, from_scratch = run_retrieval(shops.target, tmp_path / "scratch", config)
    assert score > from_scratch.best_score


def test_values_of_categories_are_known_by_their_names(planted_run, shops):
    source = SourceRun.open(planted_run.path)
    model = model_of(shops, planted_run.config)
    lines = source.give(model)
    assert "taken: 3 of 3 values of brand, by their names" in lines
    assert "not taken: the ids of its 40 items" in lines
    assert "not taken: contexts, whose values are those of one shop" in lines
    table = model.item_tower.category_tables["brand"].numpy()
    old, new = shared_rows(source.spec.categories["brand"], model.spec.categories["brand"])
    np.testing.assert_array_equal(table[new], source.weights["item_tower/category_0"][old])
    assert np.abs(table).max() > 0
    assert not model.item_tower.id_offset.numpy().any()


def test_parts_of_other_sizes_are_named_and_left(shops):
    config = changed(
        shops.config,
        lstm_units=16,
        history_averages=[0.9],
        repeat_bonus=True,
        learned_temperature=True,
    )
    model = model_of(shops, config)
    before = model.query_tower.behaviour.average_weight.numpy()
    lines = SourceRun.open(shops.source).give(model)
    assert ("not taken: the LSTM, as retrieval.lstm_units is 48 there and 16 here") in lines
    assert "not taken: the bonus of re-purchases, which that run has none of" in lines
    assert "not taken: the temperature, which is learned anew from where it is set" in lines
    assert sum("moving averages" in line and line.startswith("not") for line in lines) == 1
    np.testing.assert_array_equal(model.query_tower.behaviour.average_weight, before)


def test_norms_and_attention_go_with_the_lstm(shops, tmp_path):
    config = changed(shops.config, lstm_layer_norm=True, state_attention=4)
    source, model = model_of(shops, config), model_of(shops, config)
    there, here = source.query_tower.behaviour, model.query_tower.behaviour
    for variable in there.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    tf.train.Checkpoint(**source.parts).write(str(tmp_path / WEIGHTS))
    reader = tf.train.load_checkpoint(str(tmp_path / WEIGHTS))
    opened = SourceRun.open(shops.source)
    opened = dataclasses.replace(
        opened,
        run=RunDirectory(tmp_path),
        config=config,
        weights={name: reader.get_tensor(f"{name}{VALUE}") for name in opened.weights},
    )
    lines = opened.give(model)
    assert "taken: the LSTM, the start of a history and the gaps in time" in lines
    assert len(here.variables) == len(there.variables) == 22
    for taken, given in zip(here.variables, there.variables, strict=True):
        np.testing.assert_array_equal(taken, given)
    lines = opened.give(model_of(shops, shops.config))
    assert (
        "not taken: the LSTM, as retrieval.lstm_layer_norm is True there and False here and "
        "retrieval.state_attention is 4 there and 0 here"
    ) in lines


def model_of(shops: Shops, config: ExperimentConfig) -> RetrievalModel:
    """Returns an untrained model of the target shop."""
    features = ItemFeatures.of(shops.target, item_text_vectors(shops.target, config.text))
    model = RetrievalModel(
        Catalogue(features), DataSpec.of(shops.target, features), config.retrieval
    )
    model.build_weights()
    return model


def test_another_bert_is_refused_in_one_sentence(shops, tmp_path):
    other = tmp_path / "bert"
    write_tiny_bert(other)
    (other / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    text = shops.config.text.model_copy(update={"bert": str(other)})
    with pytest.raises(UserError, match=r"with another BERT .* nothing of it fits"):
        SourceRun.open(shops.source).check(shops.config.model_copy(update={"text": text}))


def test_the_same_bert_elsewhere_is_accepted(shops, tmp_path):
    write_tiny_bert(tmp_path / "bert")
    text = shops.config.text.model_copy(update={"bert": str(tmp_path / "bert")})
    SourceRun.open(shops.source).check(shops.config.model_copy(update={"text": text}))


def test_a_trained_bert_is_refused(shops):
    source = SourceRun.open(shops.source)
    text = source.config.text.model_copy(update={"policy": "full"})
    trained = dataclasses.replace(source, config=source.config.model_copy(update={"text": text}))
    with pytest.raises(UserError, match=r"trained its BERT \(text.policy: full\)"):
        trained.check(shops.config)


def test_another_dimension_is_refused(shops):
    with pytest.raises(UserError, match=r"set retrieval\.dimension to 32"):
        SourceRun.open(shops.source).check(changed(shops.config, dimension=16))


def test_a_damaged_source_is_refused(shops, tmp_path):
    shutil.copytree(shops.source, tmp_path / "source")
    (tmp_path / "source" / "retrieval" / "weights.index").unlink()
    with pytest.raises(UserError, match="is missing or damaged; start from another run"):
        SourceRun.open(tmp_path / "source")


def test_nothing_to_train_and_nothing_to_start_from_is_refused(shops, tmp_path):
    with pytest.raises(UserError, match="epochs is 0 and there is nothing to start from"):
        run_retrieval(shops.target, tmp_path / "run", changed(shops.config, epochs=0))
    assert not (tmp_path / "run").exists()


def test_trust_lies_between_plain_texts_and_all_that_was_learned(shops):
    source, model = SourceRun.open(shops.source), model_of(shops, shops.config)
    source.give(model)
    tower, behaviour = model.item_tower, model.query_tower.behaviour
    learned, kernel = tower.text_projection.numpy(), behaviour.project.kernel.numpy()
    average, price = behaviour.average_weight.numpy(), tower.price_projection.numpy()
    start = untrained_projection(load_text_vectors(source.run.path), 32)
    trust = Trust(model, start)
    trust.put(text=0.0, lstm=1.0)
    np.testing.assert_allclose(np.abs(tower.text_projection), np.abs(start), atol=1e-6)
    np.testing.assert_array_equal(behaviour.average_weight, np.ones_like(average))
    assert not tower.price_projection.numpy().any()
    np.testing.assert_array_equal(behaviour.project.kernel, kernel)
    trust.put(text=1.0, lstm=0.0)
    np.testing.assert_allclose(tower.text_projection, learned, atol=1e-7)
    np.testing.assert_allclose(behaviour.average_weight, average)
    np.testing.assert_allclose(tower.price_projection, price)
    assert not behaviour.project.kernel.numpy().any()


def test_opposite_components_are_turned_before_they_are_mixed():
    untrained = np.array([[1.0, -2.0], [0.5, 1.0]])
    trained = np.array([[-1.0, -1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(aligned(untrained, trained), [[-1.0, -2.0], [-0.5, 1.0]])


def test_trust_is_what_scores_best_and_small_where_scores_are_equal(shops):
    model = model_of(shops, shops.config)
    SourceRun.open(shops.source).give(model)
    kernel = model.query_tower.behaviour.project.kernel
    full = float(np.abs(kernel.numpy()).sum())
    trust = Trust(model, model.item_tower.text_projection.numpy())

    def score() -> float:
        return -abs(float(np.abs(kernel.numpy()).sum()) / full - 0.4)

    assert trust.fit(score, TransferConfig())[:2] == (0.0, 0.3)
    assert float(np.abs(kernel.numpy()).sum()) == pytest.approx(0.3 * full, rel=1e-4)
    fixed = TransferConfig(text_trust=0.4, lstm_trust=0.9)
    assert trust.fit(score, fixed)[:2] == (0.4, 0.9)


def test_without_moving_averages_the_lstm_is_trusted(shops):
    model = model_of(shops, changed(shops.config, history_averages=[]))
    SourceRun.open(shops.source).give(model)
    trust = Trust(model, model.item_tower.text_projection.numpy())
    assert trust.fit(lambda: 0.5, TransferConfig())[:2] == (0.0, 1.0)
    assert model.query_tower.behaviour.project.kernel.numpy().any()


def test_lineage_says_whether_the_source_is_there_as_it_was(shops, tmp_path):
    told = SourceRun.open(shops.source).record
    assert source_need(told) == Need("run it started from", True, str(shops.source))
    assert not source_need({**told, "weights": "0" * 64}).there
    assert not source_need({**told, "run": str(tmp_path / "gone")}).there


def test_a_ranking_model_has_nothing_to_start_from(shops):
    training = shops.config.ranking.training.model_copy(update={"epochs": 0})
    ranking = shops.config.ranking.model_copy(update={"training": training})
    config = shops.config.model_copy(update={"ranking": ranking})
    with pytest.raises(UserError, match="a ranking model has nothing to start from"):
        run_ranking(shops.target, shops.source, config)
