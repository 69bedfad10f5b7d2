"""The ranking model: losses and score by hand, padding without a say, any event name."""

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tests.models.small_model import randomise
from tfrec.config import RankingConfig, TrainingConfig
from tfrec.models.ranking import RankingModel, listwise_softmax
from tfrec.models.ranking_features import RETRIEVAL_FEATURES

FEATURES = 4


def make_model(targets=("purchase",), returns="return", precision="float32", **config):
    settings = {"hidden_units": [6], "dropout": 0.0, **config}
    model = RankingModel(
        FEATURES, list(targets), returns, RankingConfig.model_validate(settings), precision
    )
    model(tf.zeros([1, 1, FEATURES]))
    return model


def made_up(**settings):
    """A model with random weights in place of heads of zero."""
    model = make_model(**settings)
    randomise(model)
    return model


def lists(seed=0, batch=3, candidates=5, events=("purchase", "return")):
    random = np.random.default_rng(seed)
    made = {
        "features": random.normal(size=(batch, candidates, FEATURES)),
        "present": np.ones((batch, candidates)),
    }
    made |= {f"label/{event}": random.integers(0, 2, (batch, candidates)) for event in events}
    return {name: tf.constant(values, tf.float32) for name, values in made.items()}


def test_listwise_loss_worked_by_hand():
    # Logits log 1, log 2, log 5: shares of 1/8, 2/8, 5/8. Then three of 1/3.
    logits = tf.constant([[0.0, np.log(2), np.log(5)], [4.0, 4.0, 4.0]], tf.float32)
    labels = tf.constant([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    expected = (np.log(8 / 5) + np.log(3)) / 2
    assert float(listwise_softmax(labels, logits)) == pytest.approx(expected, rel=1e-6)


def test_listwise_loss_leaves_out_padding_and_lists_without_a_hit():
    logits = tf.constant([[0.0, 9.0, np.log(3)], [1.0, 2.0, 3.0]], tf.float32)
    labels = tf.constant([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    present = tf.constant([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    # The first list is log 1 against log 3, the second has no positive label that is present.
    assert float(listwise_softmax(labels, logits, present)) == pytest.approx(np.log(4), rel=1e-6)
    assert float(listwise_softmax(labels * 0, logits, present)) == 0.0


def test_score_worked_by_hand():
    model = make_model(
        targets=["purchase", "click"], event_weights={"click": 0.1}, return_penalty=0.5
    )
    probabilities = {
        "purchase": tf.constant([[0.2, 0.2]]),
        "click": tf.constant([[0.5, 0.5]]),
        "return": tf.constant([[0.0, 0.8]]),
    }
    np.testing.assert_allclose(
        model.scores(probabilities), [[0.2 + 0.05, (0.2 + 0.05) * (1 - 0.5 * 0.8)]], rtol=1e-6
    )


def test_score_prefers_what_is_bought_and_kept():
    probabilities = {
        "purchase": tf.constant([[0.5, 0.4]]),
        "return": tf.constant([[0.5, 0.1]]),
    }
    assert np.argmax(make_model().scores(probabilities)) == 1
    assert np.argmax(make_model(return_penalty=0.0).scores(probabilities)) == 0


def test_score_without_a_return_event_is_the_probability():
    model = make_model(returns=None)
    assert model.events == ["purchase"]
    np.testing.assert_allclose(model.scores({"purchase": tf.constant([[0.3]])}), [[0.3]])


@pytest.mark.parametrize("experts", [0, 3])
def test_an_untrained_model_keeps_the_order_of_the_first_stage(experts):
    batch = lists()
    logits = make_model(experts=experts)(batch["features"])
    place = RETRIEVAL_FEATURES.index("retrieval_log_probability")
    np.testing.assert_allclose(logits["purchase"], batch["features"][..., place], rtol=1e-6)
    assert not logits["return"].numpy().any()


def test_loss_is_the_sum_of_lists_and_events():
    model, batch = made_up(), lists()
    logits = {event: values.numpy() for event, values in model(batch["features"]).items()}
    bought, returned = batch["label/purchase"].numpy(), batch["label/return"].numpy()

    def cross_entropy(labels, values):
        return np.logaddexp(0, values) - labels * values

    shares = logits["purchase"] - np.log(np.exp(logits["purchase"]).sum(1, keepdims=True))
    listwise = np.mean([-shares[row][bought[row] > 0].mean() for row in range(3)])
    purchases = cross_entropy(bought, logits["purchase"]).mean()
    # Returns are asked for where something was bought, and nowhere else.
    returns = cross_entropy(returned, logits["return"])[bought > 0].mean()
    assert float(model.compute_loss(batch)) == pytest.approx(
        listwise + purchases + returns, rel=1e-5
    )


def test_returns_of_what_was_not_bought_do_not_count():
    model, batch = made_up(), lists()
    loss = float(model.compute_loss(batch))
    elsewhere = batch | {
        "label/return": tf.maximum(batch["label/return"], 1 - batch["label/purchase"])
    }
    assert float(model.compute_loss(elsewhere)) == pytest.approx(loss, rel=1e-6)
    nothing_bought = batch | {"label/purchase": batch["label/purchase"] * 0}
    assert np.isfinite(model.compute_loss(nothing_bought))


def test_padding_changes_nothing():
    model, batch = made_up(), lists()
    padded = {
        name: tf.pad(values, [[0, 0], [0, 2], [0, 0]][: values.shape.rank], constant_values=9.0)
        for name, values in batch.items()
    }
    padded["present"] = tf.pad(batch["present"], [[0, 0], [0, 2]])
    padded["label/purchase"] = tf.pad(batch["label/purchase"], [[0, 0], [0, 2]], constant_values=1)
    assert float(model.compute_loss(padded)) == pytest.approx(
        float(model.compute_loss(batch)), rel=1e-5
    )


def test_a_candidate_is_scored_alone():
    """A score depends on its own features, whatever else is in the list."""
    model, batch = made_up(), lists()
    together = model(batch["features"])["purchase"].numpy()
    alone = [model(batch["features"][:, place : place + 1])["purchase"] for place in range(5)]
    np.testing.assert_allclose(np.concatenate(alone, axis=1), together, atol=1e-5)


def test_calibration_scales_the_logits():
    model = make_model()
    model.calibration["purchase"].assign([2.0, -1.0])
    found = model.probabilities({"purchase": tf.constant(1.5), "return": tf.constant(0.0)})
    assert float(found["purchase"]) == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert float(found["return"]) == 0.5


@pytest.mark.parametrize(
    ("precision", "experts"), [("float32", 0), ("mixed_bfloat16", 0), ("mixed_bfloat16", 2)]
)
def test_training_learns_whatever_the_events_are_called(precision, experts):
    events = ["add to cart", "购买"]
    model = make_model(events, "sent back!", precision, experts=experts)
    batch = lists(1, batch=16, events=[*events, "sent back!"])
    best = tf.one_hot(tf.argmax(batch["features"][..., 0], axis=1), 5)
    batch |= {f"label/{event}": best for event in events}
    # Features of other sizes, that only the normalisation makes alike.
    scale, shift = np.float32([1e-3, 1.0, 10.0, 1.0]), np.float32([1000.0, 0.0, 0.0, 5.0])
    batch["features"] = batch["features"] * scale + shift
    model.normalise.adapt(batch["features"].numpy().reshape(-1, FEATURES))
    model.optimizer = tf.keras.optimizers.Adam(0.02)
    step = tf.function(model.train_step)
    losses = [float(step(batch)["loss"]) for _ in range(60)]
    assert np.isfinite(losses).all() and losses[-1] < 0.7 * losses[0]
    logits = model(batch["features"])
    assert logits["购买"].dtype == tf.float32
    hit = np.argmax(logits["购买"], axis=1) == np.argmax(best, axis=1)
    assert hit.mean() > 0.9
    assert {v.dtype for v in model.trainable_variables} == {tf.float32}


def test_every_event_has_a_mixture_of_the_experts():
    model = made_up(experts=2, hidden_units=[6, 3])
    assert set(model.parts) == set(make_model().parts) | {"experts"}
    features = lists()["features"]
    before = model(features)
    # The gate of returns decides for purchases nothing, the experts decide for both.
    model.experts.gates[1].kernel.assign_add(tf.ones_like(model.experts.gates[1].kernel) * [1, -1])
    gated = model(features)
    np.testing.assert_array_equal(gated["purchase"], before["purchase"])
    assert np.abs(gated["return"] - before["return"]).max() > 1e-3
    last = model.experts.experts[0][-1].bias
    last.assign_add(tf.ones_like(last))
    for event, values in model(features).items():
        assert np.abs(values - gated[event]).max() > 1e-3


def test_embeddings_that_the_model_does_not_have():
    assert RankingConfig(training=TrainingConfig(adversarial="awp")).training.adversarial == "awp"
    with pytest.raises(ValidationError, match="fgm moves embeddings, of which the ranking model"):
        RankingConfig(training=TrainingConfig(adversarial="fgm"))


def test_experts_without_layers():
    with pytest.raises(ValidationError, match="experts are made of hidden_units, which are empty"):
        RankingConfig(experts=2, hidden_units=[])


@pytest.mark.parametrize("experts", [0, 2])
def test_every_variable_is_saved(tmp_path, experts):
    model, other = make_model(experts=experts), make_model(experts=experts)
    for variable in model.variables:
        variable.assign(tf.ones_like(variable) * 3)
    path = tf.train.Checkpoint(**model.parts).write(str(tmp_path / "weights"))
    tf.train.Checkpoint(**other.parts).read(path).assert_existing_objects_matched()
    for variable in other.variables:
        assert (variable.numpy() == 3).all(), variable.name
