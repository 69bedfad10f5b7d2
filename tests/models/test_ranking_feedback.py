"""The ranking model learns from clicks what shoppers like, not where they look."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models.test_ranking import FEATURES, lists, made_up, make_model
from tfrec.feedback.position_bias import estimate_examination, score_groups
from tfrec.feedback.simulation import simulate
from tfrec.models.ranking import listwise_softmax, noticed_logits
from tfrec.models.ranking_features import RETRIEVAL_FEATURES


def test_weighted_lists_worked_by_hand():
    # Logits log 1, log 2, log 5, then three of 1/3. Clicks on places that are looked at half and a
    # quarter of the time count 2 and 4; the second list has one that counts 1. The weights of a
    # list are averaged over its clicks, and the loss is divided by the sum of all.
    logits = tf.constant([[0.0, np.log(2), np.log(5)], [4.0, 4.0, 4.0]], tf.float32)
    labels = tf.constant([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    weights = tf.constant([[1.0, 2.0, 4.0], [1.0, 1.0, 1.0]])
    first = (2 * np.log(8 / 2) + 4 * np.log(8 / 5)) / 2
    expected = (first + np.log(3)) / (3 + 1)
    assert float(listwise_softmax(labels, logits, weights)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("logit", [-30.0, -2.0, 0.0, 3.0, 30.0])
@pytest.mark.parametrize("look", [0.05, 0.5, 1.0])
def test_logit_of_a_look_and_a_liking(logit, look):
    chance = look / (1 + np.exp(-np.float64(logit)))
    found = float(noticed_logits(tf.constant(logit), tf.constant(look)))
    if look == 1.0:
        assert found == logit
    else:
        assert found == pytest.approx(np.log(chance) - np.log1p(-chance), rel=1e-4)


def test_places_that_are_all_looked_at_change_nothing():
    model, batch = made_up(), lists()
    examined = batch | {"examination": tf.ones_like(batch["present"])}
    with tf.GradientTape(persistent=True) as tape:
        losses = [model.compute_loss(batch), model.compute_loss(examined)]
    assert float(losses[0]) == pytest.approx(float(losses[1]), rel=1e-6)
    # The head of returns has no gradient where nothing was bought.
    variables = model.heads["purchase"].trainable_variables
    for one, other in zip(*(tape.gradient(loss, variables) for loss in losses), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


LISTS, ITEMS, PLACES = 4000, 12, 8
LOOKS = 1.0 / np.arange(1, PLACES + 1) ** 1.5
WANTED, PUSHED = 2, 3  # columns of the features


@pytest.fixture(scope="module")
def biased_clicks():
    """Clicks on lists of a shop that pushes what shoppers like less.

    Whether an item is liked depends on one feature, its place on another that is its opposite but
    for noise. So hardly anybody looks at what most would like.
    """
    random = np.random.default_rng(7)
    features = np.zeros((LISTS, ITEMS, FEATURES), np.float32)
    features[..., WANTED] = random.normal(size=(LISTS, ITEMS))
    features[..., PUSHED] = random.normal(size=(LISTS, ITEMS)) - 0.8 * features[..., WANTED]
    attraction = 0.5 / (1 + np.exp(1.0 - 0.8 * features[..., WANTED]))
    log = simulate(attraction, features[..., PUSHED], LOOKS, share=0.1, random=random)
    return features, log


def learned_order(features, log, examination):
    """Trains a model on the clicks; returns how much it makes of the two features."""
    tf.keras.utils.set_random_seed(1)
    model = make_model(targets=["click"], returns=None, hidden_units=[], cross_layers=0)
    shown = np.take_along_axis(features, log.items[:, :PLACES, None], axis=1)
    batch = {
        "features": tf.constant(shown),
        "present": tf.ones(log.clicks.shape),
        "label/click": tf.constant(log.clicks, tf.float32),
        "examination": tf.constant(np.tile(examination, (LISTS, 1)), tf.float32),
    }
    optimizer = tf.keras.optimizers.Adam(0.05)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    for _ in range(120):
        step()
    logits = model(tf.constant(features))["click"].numpy()
    truth = features[..., WANTED]
    above = np.sign(truth[:, :, None] - truth[:, None, :])
    agree = above * np.sign(logits[:, :, None] - logits[:, None, :])
    return float(agree[above != 0].mean())


def test_the_corrected_model_finds_the_true_order_and_the_uncorrected_does_not(biased_clicks):
    assert RETRIEVAL_FEATURES.index("retrieval_log_probability") not in (WANTED, PUSHED)
    features, log = biased_clicks
    scores = log.scores[:, :PLACES].ravel()
    positions = np.tile(np.arange(1, PLACES + 1), LISTS)
    groups = score_groups(scores, log.clicks.ravel(), np.zeros(len(scores)))
    looks = estimate_examination(positions, log.clicks.ravel(), groups).chances
    naive = learned_order(features, log, np.ones(PLACES))
    corrected = learned_order(features, log, np.maximum(looks, 0.02))
    # Kendall's tau with the true order, over all pairs of items of a list.
    assert corrected > 0.9
    assert naive < 0.5
