"""The retrieval model: its losses against numpy, and which variables they move."""

import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation.small_shop import make_histories
from tests.models.small_model import (
    BRAND,
    COUNTRY,
    FREQUENCY,
    NUM_ITEMS,
    TEXTS,
    randomise,
    retrieval_model,
    tiny_encoder,
    training_batch,
)
from tests.tiny_bert import vocabulary, write_tiny_bert
from tfrec.errors import UserError
from tfrec.models.recommender import Retriever
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.histories import pad_histories
from tfrec.training.campaign import chances_of

NEGATIVES = ["full", "sampled", "in_batch"]


def pairs_of(batch):
    """(row, state, target) of every example."""
    target = batch["target"].numpy()
    return [
        (row, int(batch["state"][row, column]), int(target[row, column]))
        for row, column in zip(*np.nonzero(target), strict=True)
    ]


def vectors_of(model, batch):
    """Item vectors `[num_items + 1, dimension]` and the query vector of every example."""
    items = model.item_vectors()
    states = model.query_vectors(batch, items).numpy()
    return items.numpy(), np.stack([states[row, state] for row, state, _ in pairs_of(batch)])


def cross_entropy(scores, position):
    return np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[position]


def test_full_softmax_is_that_of_numpy():
    model, batch = retrieval_model(temperature=0.2), training_batch()
    randomise(model)
    items, queries = vectors_of(model, batch)
    losses = [
        cross_entropy(items[1:] @ query / 0.2, target - 1)
        for query, (_, _, target) in zip(queries, pairs_of(batch), strict=True)
    ]
    assert len(losses) == 5
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_query_with_several_targets_is_scored_for_each():
    model, batch = retrieval_model(temperature=0.2), training_batch()
    randomise(model)
    batch["state"] = tf.constant([[0, 0, 0, 3], [0, 0, 0, 0]], tf.int64)
    items, queries = vectors_of(model, batch)
    losses = [
        cross_entropy(items[1:] @ query / 0.2, target - 1)
        for query, (_, _, target) in zip(queries, pairs_of(batch), strict=True)
    ]
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-5)
    # By baskets of 2, 1 and 2 targets, each of which counts as much as the others.
    by_basket = np.mean([np.mean(losses[:2]), losses[2], np.mean(losses[3:])])
    fair = retrieval_model(temperature=0.2, basket_discount=1.0)
    randomise(fair)
    assert float(fair.compute_loss(batch)) == pytest.approx(by_basket, rel=1e-5)


def without_item_4():
    """A batch without item 4, and each item's share of the targets 1, 2, 3 and 5."""
    batch = training_batch()
    batch["target"] = tf.constant([[1, 2, 0, 3], [0, 5, 0, 0]], tf.int64)
    return batch, np.array([0.0, 0.25, 0.25, 0.25, 0.0, 0.25])


def test_an_item_that_was_never_sold_is_no_negative():
    batch, frequency = without_item_4()
    model = retrieval_model(temperature=0.2, frequency=frequency)
    randomise(model)
    items, queries = vectors_of(model, batch)
    competing, place = items[[1, 2, 3, 5]], {1: 0, 2: 1, 3: 2, 5: 3}
    losses = [
        cross_entropy(competing @ query / 0.2, place[target])
        for query, (_, _, target) in zip(queries, pairs_of(batch), strict=True)
    ]
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-5)
    as_negative = retrieval_model(temperature=0.2, frequency=frequency, unsold_negatives=True)
    randomise(as_negative)
    losses = [
        cross_entropy(items[1:] @ query / 0.2, target - 1)
        for query, (_, _, target) in zip(queries, pairs_of(batch), strict=True)
    ]
    assert float(as_negative.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("repeat_bonus", [False, True])
@pytest.mark.parametrize("unsold_negatives", [False, True])
def test_training_leaves_the_id_of_a_new_item_alone(repeat_bonus, unsold_negatives):
    batch, frequency = without_item_4()
    batch["item"] = tf.constant([[1, 2, 1, 3], [3, 5, 0, 0]], tf.int64)
    model = retrieval_model(
        frequency=frequency, repeat_bonus=repeat_bonus, unsold_negatives=unsold_negatives
    )
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    gradient = tf.convert_to_tensor(tape.gradient(loss, model.item_tower.id_offset)).numpy()
    assert gradient.any(axis=1).tolist() == [False, True, True, True, unsold_negatives, True]


def test_no_new_item_is_drawn_as_a_negative():
    batch, frequency = without_item_4()
    batch["item"] = tf.constant([[1, 2, 1, 3], [3, 5, 0, 0]], tf.int64)
    model = retrieval_model(negatives="sampled", sampled_negatives=200, frequency=frequency)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    gradient = tf.convert_to_tensor(tape.gradient(loss, model.item_tower.id_offset)).numpy()
    assert gradient.any(axis=1).tolist() == [False, True, True, True, False, True]


class TestStandIns:
    """An item without a trained id offset takes those of the items that are described alike."""

    @pytest.fixture
    def model(self):
        model = retrieval_model(trend_days=[30])
        randomise(model)
        # Items 4 and 5 are described as item 2 is; nobody has bought item 5.
        for table in (model.catalogue.text, model.catalogue.price):
            table[4:6].assign(tf.repeat(table[2:3], 2, axis=0))
        brand = model.catalogue.categories[BRAND]
        brand[4:6].assign(tf.repeat(brand[2:3], 2, axis=0))
        offset = model.item_tower.id_offset
        offset[4].assign(-offset[2])
        offset[5].assign(tf.zeros_like(offset[5]))
        return model

    def test_vectors(self, model):
        own = model.item_tower(model.catalogue.all_features()).numpy()
        vectors = model.item_vectors().numpy()
        np.testing.assert_allclose(vectors[:5], own[:5], atol=1e-6)
        features = {**model.catalogue.features(tf.constant([1, 2, 3, 4, 5]))}
        described = model.item_tower({**features, "id": tf.zeros(5, tf.int64)}).numpy()
        weights = np.exp((described[:4] @ described[4]) / 0.1)
        weights /= weights.sum()
        offset = weights @ model.item_tower.id_offset.numpy()[1:5]
        offsets = tf.constant(np.repeat([offset], 6, axis=0), tf.float32)
        expected = model.item_tower(model.catalogue.features(tf.constant([5])), offsets=offsets)
        np.testing.assert_allclose(vectors[5], expected[0], atol=1e-5)
        assert np.abs(vectors[5] - own[5]).max() > 1e-3

    def test_can_be_switched_off(self, model):
        model.id_offsets.stand_ins = False
        own = model.item_tower(model.catalogue.all_features())
        np.testing.assert_allclose(model.item_vectors(), own, atol=1e-6)
        model.count(make_histories([[1, 1, 2, 3, 4]]))
        assert not model.trend.log_sales.numpy()[5].any()

    def test_sales(self, model):
        model.count(make_histories([[1, 1, 1, 2, 3, 4, 4, 4]]))
        sales = model.trend.log_sales.numpy()
        counts = np.log1p([3, 1, 1, 3])
        np.testing.assert_allclose(sales[1:5, 1], counts, rtol=1e-6)
        assert counts.min() < sales[5, 1] < counts.max()
        # An item that has been sold since speaks for itself.
        model.count(make_histories([[1, 1, 1, 2, 3, 4, 4, 4, 5]]))
        np.testing.assert_allclose(model.trend.log_sales.numpy()[5], np.log1p([1, 1]), rtol=1e-6)

    def test_before_training_nobody_stands_in(self):
        model = retrieval_model()
        own = model.item_tower(model.catalogue.all_features())
        np.testing.assert_allclose(model.item_vectors(), own, atol=1e-6)


@pytest.mark.parametrize("logq", [True, False])
def test_in_batch_softmax_is_that_of_numpy(logq):
    model, batch = retrieval_model(negatives="in_batch", logq_correction=logq), training_batch()
    randomise(model)
    # Item 1 twice among the targets: 1, 2, 1, 4, 5.
    batch["target"] = tf.constant([[1, 2, 0, 1], [4, 5, 0, 0]], tf.int64)
    items, queries = vectors_of(model, batch)
    targets = np.array([1, 2, 1, 4, 5])
    losses = []
    for place, query in enumerate(queries):
        scores = items[targets] @ query / 0.07
        if logq:
            scores -= np.log(FREQUENCY[targets])
        # The same item at another place of the batch is no negative.
        scores[(targets == targets[place]) & (np.arange(5) != place)] = -np.inf
        losses.append(cross_entropy(scores, place))
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("logq", [True, False])
def test_sampled_softmax_is_that_of_numpy(monkeypatch, logq):
    drawn = np.array([3, 3, 5, 1])
    # Places among the items from 1.
    monkeypatch.setattr(tf.random, "uniform", lambda *_, **__: tf.constant(drawn - 1, tf.int64))
    model = retrieval_model(negatives="sampled", sampled_negatives=4, logq_correction=logq)
    randomise(model)
    batch = training_batch()
    items, queries = vectors_of(model, batch)
    candidates = np.concatenate([[1, 2, 3, 4, 5], drawn])
    # Of 9 candidates 5 come from the targets and 4 are drawn evenly from the 5 items.
    expected = (5 * FREQUENCY[candidates] + 4 / 5) / 9
    losses = []
    for place, query in enumerate(queries):
        scores = items[candidates] @ query / 0.07
        if logq:
            scores -= np.log(expected)
        scores[(candidates == candidates[place]) & (np.arange(9) != place)] = -np.inf
        losses.append(cross_entropy(scores, place))
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_true_item_that_is_not_drawn_is_not_corrected(monkeypatch):
    drawn = np.array([3, 3, 5, 1])
    monkeypatch.setattr(tf.random, "uniform", lambda *_, **__: tf.constant(drawn - 1, tf.int64))
    model = retrieval_model(
        negatives="sampled", sampled_negatives=4, logq_correction="negatives", label_smoothing=0.1
    )
    randomise(model)
    batch = training_batch()
    items, queries = vectors_of(model, batch)
    targets = np.array([1, 2, 3, 4, 5])
    candidates = np.concatenate([targets, drawn])
    times = 4 * FREQUENCY[candidates] + 4 / 5
    losses = []
    for place, query in enumerate(queries):
        scores = items[candidates] @ query / 0.07
        negative = candidates != targets[place]
        corrected = np.append(scores[place], (scores - np.log(times))[negative])
        shares = np.append(1.0, 1.0 / times[negative])
        mean = shares @ np.append(scores[place], scores[negative]) / shares.sum()
        losses.append(cross_entropy(corrected, 0) + 0.1 * (scores[place] - mean))
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_targets_of_earlier_steps_are_negatives():
    model = retrieval_model(negatives="in_batch", cross_batch_memory=7, logq_correction="negatives")
    randomise(model)
    batch = training_batch()
    items, queries = vectors_of(model, batch)
    targets = np.array([1, 2, 3, 4, 5])
    model.compute_loss(batch, training=True)
    earlier = model.training_state["cross_batch_memory"]
    assert earlier.items.numpy().tolist() == [1, 2, 3, 4, 5, 0, 0]
    np.testing.assert_allclose(earlier.vectors[:5], items[1:6], atol=1e-6)
    # What has drifted since: the vectors that were, and the items that are.
    drifted = np.roll(items[1:6], 1, axis=1)
    earlier.vectors[:5].assign(drifted)
    candidates = np.concatenate([targets, targets])
    vectors = np.concatenate([items[targets], drifted])
    times = (4 + 5) * FREQUENCY[candidates]
    losses = []
    for place, query in enumerate(queries):
        scores = vectors @ query / 0.07
        negative = candidates != targets[place]
        corrected = np.append(scores[place], (scores - np.log(times))[negative])
        losses.append(cross_entropy(corrected, 0))
    for _ in range(2):  # Without training nothing is remembered.
        assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)
    assert "cross_batch_memory" not in model.parts


def test_hard_negatives_are_those_that_a_search_finds():
    model = retrieval_model(negatives="in_batch", hard_negatives=1, logq_correction="none")
    randomise(model)
    batch = training_batch()
    items, queries = vectors_of(model, batch)
    targets, rows = [1, 2, 3, 4, 5], [{1, 2, 3}, {4, 5}]
    losses = []
    for (row, _, target), query in zip(pairs_of(batch), queries, strict=True):
        scores = items @ query / 0.07
        nearest = max(set(targets) - rows[row], key=lambda item: scores[item])
        # The nearest is among the targets of the batch, and counts once.
        rivals = [item for item in targets if item not in (target, nearest)] + [nearest]
        losses.append(cross_entropy(scores[[target, *rivals]], 0))
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-4)
    few = training_batch()
    few["target"] *= tf.constant([[1, 0, 0, 0], [0, 0, 0, 0]], tf.int64)
    scores = items @ queries[0] / 0.07
    # Alone in its batch, item 1 has no negative but the nearest of 4 and 5.
    expected = cross_entropy(scores[[1, 4 if scores[4] > scores[5] else 5]], 0)
    assert float(model.compute_loss(few)) == pytest.approx(expected, rel=1e-4)


def test_smooth_labels_over_the_catalogue():
    model, batch = retrieval_model(temperature=0.2, label_smoothing=0.3), training_batch()
    randomise(model)
    items, queries = vectors_of(model, batch)
    losses = []
    for query, (_, _, target) in zip(queries, pairs_of(batch), strict=True):
        scores = items[1:] @ query / 0.2
        wanted = np.full(NUM_ITEMS, 0.3 / NUM_ITEMS)
        wanted[target - 1] += 0.7
        losses.append(sum(cross_entropy(scores, item) * wanted[item] for item in range(NUM_ITEMS)))
    assert float(model.compute_loss(batch)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("negatives", ["full", "in_batch"])
def test_events_have_their_weights(negatives):
    plain = retrieval_model(negatives=negatives)
    weighted = retrieval_model(negatives=negatives, event_weights={"purchase": 4.0})
    randomise(plain)
    randomise(weighted)
    # One target is of an event type without a weight of its own.
    batch = training_batch()
    batch["event"] = tf.constant([[1, 2, 2, 1], [1, 1, 0, 0]], tf.int64)
    only = dict(batch)
    loss = float(plain.compute_loss(batch))
    if negatives == "full":
        only["target"] = tf.constant([[0, 2, 0, 0], [0, 0, 0, 0]], tf.int64)
        light = float(plain.compute_loss(only))
        expected = (4 * (5 * loss - light) + light) / (4 * 4 + 1)
        assert float(weighted.compute_loss(batch)) == pytest.approx(expected, rel=1e-5)
        # Where events are left out of what is read, a target's own stands beside it.
        unlike = batch | {"event": tf.ones([2, 4], tf.int64), "target_event": batch["event"]}
        plain_unlike = batch | {"event": unlike["event"]}
        loss = float(plain.compute_loss(plain_unlike))
        light = float(plain.compute_loss(plain_unlike | {"target": only["target"]}))
        expected = (4 * (5 * loss - light) + light) / (4 * 4 + 1)
        assert float(weighted.compute_loss(unlike)) == pytest.approx(expected, rel=1e-5)
    batch["event"] = tf.ones([2, 4], tf.int64)
    every = float(plain.compute_loss(batch))
    assert float(weighted.compute_loss(batch)) == pytest.approx(every, rel=1e-5)


def test_a_weight_of_no_target_event_is_refused():
    with pytest.raises(UserError, match="`click`, which is no target event; those are purchase"):
        retrieval_model(event_weights={"click": 2.0})


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_a_learned_temperature(negatives):
    fixed = retrieval_model(negatives=negatives, temperature=0.2)
    model = retrieval_model(negatives=negatives, temperature=0.1, learned_temperature=True)
    randomise(fixed)
    randomise(model)
    model.learned_temperature.log_factor.assign(np.log(2.0))
    batch = training_batch()
    losses = []
    for each in (fixed, model):
        tf.random.set_seed(1)
        losses.append(float(each.compute_loss(batch)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert float(model.temperature) == pytest.approx(0.2)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch)
    assert abs(float(tape.gradient(loss, model.learned_temperature.log_factor))) > 1e-3
    assert model.parts["temperature"].trainable_weights
    assert "temperature" not in fixed.parts
    model.learned_temperature.log_factor.assign(-9.0)
    assert float(model.temperature) == pytest.approx(0.01)


def test_an_export_has_the_temperature_that_was_learned(tmp_path):
    model = retrieval_model(temperature=0.1, learned_temperature=True)
    model.learned_temperature.log_factor.assign(np.log(5.0))
    exported = Retriever(model)
    exported.chances = tf.function(
        lambda scores: chances_of(scores, exported.model.temperature),
        input_signature=[tf.TensorSpec([None, 3])],
    )
    tf.saved_model.save(exported, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    found = loaded.chances(tf.constant([[9.0, 0.0, 0.5 * np.log(3)]], tf.float32))
    np.testing.assert_allclose(found, [[0, 1 / 4, 3 / 4]], rtol=1e-5)


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_a_position_without_target_changes_nothing(negatives):
    model, batch = retrieval_model(negatives=negatives), training_batch()
    randomise(model)
    padded = {name: tf.pad(values, [[0, 1], [0, 2]]) for name, values in batch.items()}
    tf.random.set_seed(1)
    loss = float(model.compute_loss(batch))
    tf.random.set_seed(1)
    assert float(model.compute_loss(padded)) == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_gradients_reach_every_part(negatives):
    model = retrieval_model(
        negatives=negatives,
        lstm_layers=2,
        history_averages=[1.0, 0.5],
        repeat_bonus=negatives == "full",
        learned_temperature=True,
    )
    randomise(model)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(training_batch(), training=True)
    for variable, gradient in zip(
        model.trainable_variables,
        tape.gradient(loss, model.trainable_variables),
        strict=True,
    ):
        assert gradient is not None, variable.name
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.name


@pytest.mark.parametrize(
    ("negatives", "precision"),
    [("full", "float32"), ("full", "mixed_bfloat16"), ("sampled", "mixed_bfloat16")],
)
def test_training_lowers_the_loss(negatives, precision):
    beside = {}
    if negatives == "sampled":
        beside = {
            "logq_correction": "negatives",
            "cross_batch_memory": 8,
            "hard_negatives": 2,
            "label_smoothing": 0.01,
        }
    model = retrieval_model(
        negatives=negatives, precision=precision, history_averages=[0.9], **beside
    )
    model.optimizer = tf.keras.optimizers.Adam(0.01)
    step = tf.function(model.train_step)
    losses = [float(step(training_batch())["loss"]) for _ in range(25)]
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    for part in model.parts.values():
        assert {weight.dtype for weight in part.weights} == {tf.float32}


def test_mixed_precision_is_close_to_the_exact_loss():
    exact, mixed = retrieval_model(), retrieval_model(precision="mixed_bfloat16")
    randomise(exact)
    mixed.set_weights(exact.get_weights())
    losses = [float(model.compute_loss(training_batch())) for model in (exact, mixed)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]


def test_texts_are_read_alike_wherever_the_vocabulary_has_its_padding(tmp_path):
    """Here id 0 is a word of the texts, and padding comes last."""
    words = [token for token in vocabulary() if token not in ("[PAD]", "lamp")]
    folder = write_tiny_bert(tmp_path, tokens=["lamp", *words, "[PAD]"], hidden_dropout_prob=0.0)
    encoder = BertTextTower.from_files(find_weights(str(folder)), policy="full", max_tokens=16)
    catalogue = retrieval_model(encoder=encoder).catalogue
    fresh = catalogue.all_features(encode_ids=tf.range(NUM_ITEMS + 1))["text"]
    np.testing.assert_allclose(fresh[1:], encoder(tf.constant(TEXTS)), atol=1e-5)
    assert not fresh[0].numpy().any()


@pytest.mark.parametrize(
    ("policy", "negatives"),
    [
        ("frozen", "full"),
        ("top-n", "full"),
        ("lora", "full"),
        ("adapter", "sampled"),
        ("full", "sampled"),
    ],
)
def test_exactly_the_variables_of_the_text_policy_move(tmp_path, policy, negatives):
    encoder = tiny_encoder(tmp_path / "bert", policy)
    model = retrieval_model(encoder=encoder, negatives=negatives)
    texts = {} if encoder is None else {v.ref(): v for v in encoder.backbone.variables}
    policy_variables = {} if encoder is None else {v.ref() for v in encoder.trainable_variables}
    assert {v.ref() for v in model.trainable_variables} >= set(policy_variables)
    before = {name: variable.numpy() for name, variable in texts.items()}
    table = model.catalogue.text.numpy()
    model.optimizer = tf.keras.optimizers.Adam(0.01)
    for _ in range(2):
        model.train_step(training_batch())
    moved = {ref for ref, v in texts.items() if np.any(v.numpy() != before[ref])}
    if policy == "frozen":
        assert np.array_equal(model.catalogue.text, table)
        return
    assert moved == set(policy_variables)
    layers = encoder.backbone.transformer_layers
    last_layer = {v.ref() for v in layers[-1].trainable_variables}
    if policy != "full":
        assert moved == last_layer
    else:
        assert moved > last_layer
        assert encoder.backbone.token_embedding.embeddings.ref() in moved
    pooler = {v.ref() for v in encoder.backbone.pooled_dense.variables}
    assert not moved & pooler


def test_texts_of_a_batch_are_encoded_anew_and_the_others_kept(tmp_path):
    encoder = tiny_encoder(tmp_path / "bert", "full")
    model = retrieval_model(encoder=encoder)
    before = model.catalogue.text.numpy()
    batch = {
        "item": tf.constant([[1, 2, 1]], tf.int64),
        "event": tf.ones([1, 3], tf.int64),
        "timestamp": tf.zeros([1, 3], tf.int64),
        "target": tf.constant([[1, 2, 4]], tf.int64),
        "state": tf.constant([[0, 1, 2]], tf.int64),
        f"context/{COUNTRY}": tf.ones([1, 3], tf.int64),
    }
    model.compute_loss(batch, training=False)
    after = model.catalogue.text.numpy()
    assert np.array_equal(after[[0, 3, 5]], before[[0, 3, 5]])
    np.testing.assert_allclose(np.linalg.norm(after[[1, 2, 4]], axis=1), 1.0, atol=1e-5)
    # The tiny BERT has dropout in training, so the vectors are near those without it.
    exact = encoder(tf.constant([TEXTS[0], TEXTS[1], TEXTS[3]])).numpy()
    assert np.sum(exact * after[[1, 2, 4]], axis=1).min() > 0.5


@pytest.mark.parametrize("repeat_bonus", [False, True])
@pytest.mark.parametrize("max_history", [3, 8])
def test_serving_scores_what_training_trained(repeat_bonus, max_history):
    """The loss of the last event is the cross-entropy of the scores served before it."""
    model = retrieval_model(
        repeat_bonus=repeat_bonus, max_history=max_history, history_averages=[0.8]
    )
    randomise(model)
    past = make_histories([[1, 2, (1, 2)], [4], []])
    past.timestamp[:] = [10**9, 10**9 + 10**5, 10**9 + 10**6, 5]
    past.context[COUNTRY] = np.array([1, 2, 2, 1], np.int32)
    scores = Retriever(model).scores(pad_histories(past, 8)).numpy()
    assert scores.shape == (3, NUM_ITEMS + 1)
    history = pad_histories(past, 8)
    for row, (length, target) in enumerate([(3, 5), (1, 2)]):
        place = tf.one_hot([length], 4, dtype=tf.int64)
        batch = {
            name: tf.pad(values[row : row + 1], [[0, 0], [0, 1]])
            for name, values in history.items()
            if name != "length"
        }
        # The event that is asked for stands after those that are seen, and must not matter.
        batch["item"] += place * target
        batch["event"] += place
        batch["timestamp"] += place * 2 * 10**9
        batch |= {"target": place * target, "state": place * length}
        expected = cross_entropy(scores[row, 1:] / float(model.temperature), target - 1)
        assert float(model.compute_loss(batch)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_build_weights_makes_every_variable():
    model = retrieval_model(repeat_bonus=True, history_averages=[0.9])
    names = [variable.name for variable in model.variables]
    model.compute_loss(training_batch())
    assert [variable.name for variable in model.variables] == names


def test_refresh_takes_over_what_was_learned_since():
    model = retrieval_model()
    retriever = Retriever(model)
    old = retriever.vectors.numpy()
    randomise(model)
    assert np.array_equal(retriever.vectors, old)
    retriever.refresh()
    np.testing.assert_allclose(retriever.vectors, model.item_vectors(), atol=1e-6)
    assert np.abs(retriever.vectors - old).max() > 0.01
