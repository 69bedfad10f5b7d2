"""The item tower: text places an item, its id and attributes move it, and it is a unit vector."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tfrec.towers.item import ItemTower

COLUMN = "Colour / 颜色"  # a name that no TensorFlow scope could have
PICTURE = "picture / 图"


def make_tower(**changes):
    settings = {
        "dimension": 4,
        "num_ids": 3,
        "text_dimension": 6,
        "category_sizes": {COLUMN: 4},
        "use_price": True,
        "vector_sizes": {PICTURE: 2, "audio": 3},
        "id_dropout": 0.5,
    }
    return ItemTower(**{**settings, **changes})


def features(ids, seed=0, **changes):
    """Features of some items; the category values pad with 0, the last price is unknown."""
    random = np.random.default_rng(seed)
    count = len(ids)
    made = {
        "id": tf.constant(ids, tf.int64),
        "text": tf.constant(random.normal(size=(count, 6)), tf.float32),
        f"category/{COLUMN}": tf.constant([[1, 0], [2, 3], [0, 0]][:count], tf.int32),
        "price": tf.constant([1.0, 20.0, np.nan][:count], tf.float32),
        f"vector/{PICTURE}": tf.constant(random.normal(size=(count, 2)), tf.float32),
        "vector/audio": tf.constant([[1, 2, 3], [0, 0, 0], [4, 5, 7]][:count], tf.float32),
    }
    return {**made, **changes}


def set_weights(tower, seed=1):
    """Gives every weight, zeros at first, a random value."""
    random = np.random.default_rng(seed)
    for weight in tower.trainable_variables:
        weight.assign(random.normal(size=weight.shape))
    tower.price_scale.assign([1.5, 0.5])


def test_layer_checks():
    tf.keras.utils.set_random_seed(0)  # some of three ids and vectors must be left
    check_layer(make_tower, features([1, 2, 3]))


def test_sum_worked_by_hand():
    tower = make_tower(dimension=2, text_dimension=2, category_sizes={"brand": 4}, vector_sizes={})
    tower.text_projection.assign([[1.0, 0.0], [0.0, 2.0]])
    tower.text_mean.assign([1.0, 1.0])
    tower.id_offset.assign([[9, 9], [1, 0], [0, 0], [0, 0]])
    tower.category_tables["brand"].assign([[9, 9], [2, 0], [0, 4], [9, 9]])
    tower.price_scale.assign([np.log(2.0), 1.0])
    tower.price_projection.assign([[1.0, 1.0], [0.0, 1.0]])
    # Text (3 - 1, (2 - 1) * 2) = (2, 2); id 1: (1, 0); the mean of brands 1 and 2: (1, 2); the
    # price 2e - 1 is one deviation above the mean: (1, 1), and known: (0, 1). Sum (5, 6).
    vector = tower(
        {
            "id": tf.constant([1]),
            "text": tf.constant([[3.0, 2.0]]),
            "category/brand": tf.constant([[1, 2, 0]]),
            "price": tf.constant([2 * np.e - 1], tf.float32),
        }
    )
    np.testing.assert_allclose(vector, [np.array([5, 6]) / np.sqrt(61)], atol=1e-6)


def test_unit_vectors_of_any_leading_shape():
    tower = make_tower()
    set_weights(tower)
    flat = features([1, 2, 3])
    vectors = tower(flat)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1.0, atol=1e-6)
    nested = {name: tf.stack([values, values]) for name, values in flat.items()}
    np.testing.assert_allclose(tower(nested), tf.stack([vectors, vectors]), atol=1e-6)


@pytest.mark.parametrize("unknown", [0, 4, 10_000])
def test_an_item_without_a_trained_id_is_placed_by_its_text_and_attributes(unknown):
    tower = make_tower()
    set_weights(tower)
    placed = tower(features([unknown, unknown, unknown]))
    known = tower(features([1, 2, 3]))
    assert np.abs(placed - known).max() > 0.1
    tower.id_offset.assign(tf.zeros_like(tower.id_offset))
    np.testing.assert_allclose(placed, tower(features([1, 2, 3])), atol=1e-6)


def test_padding_and_unknown_attributes_add_nothing():
    tower = make_tower()
    set_weights(tower)
    last = slice(2, 3)  # no category, no price
    vector = tower(features([1, 2, 3]))[last]
    tower.category_tables[COLUMN].assign(tf.fill([4, 4], 99.0))
    tower.price_projection.assign(tf.fill([2, 4], 99.0))
    np.testing.assert_allclose(tower(features([1, 2, 3]))[last], vector, atol=1e-6)


@pytest.mark.parametrize("price", [0.0, -5.0, 1e-9, 1e30, np.inf, -np.inf, np.nan])
def test_any_price_gives_a_finite_vector_and_gradient(price):
    tower = make_tower()
    set_weights(tower)
    with tf.GradientTape() as tape:
        vectors = tower(features([1, 2, 3], price=tf.fill([3], np.float32(price))))
        loss = tf.reduce_sum(vectors[:, 0])
    assert np.isfinite(vectors).all()
    for gradient in tape.gradient(loss, tower.trainable_variables):
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


def test_ids_are_dropped_in_training_only():
    tower = make_tower(id_dropout=0.25, vector_dropout=0.0)
    set_weights(tower)
    count = 4000
    same = {name: tf.repeat(values[:1], count, axis=0) for name, values in features([1]).items()}
    with_id = tower(same)[0].numpy()
    without = tower({**same, "id": tf.zeros([count], tf.int64)})[0].numpy()
    tf.random.set_seed(0)
    vectors = tower(same, training=True).numpy()
    dropped = np.isclose(vectors, without, atol=1e-5).all(axis=1)
    kept = np.isclose(vectors, with_id, atol=1e-5).all(axis=1)
    # Whole ids go, and what stays is not scaled up.
    assert (dropped ^ kept).all()
    assert dropped.mean() == pytest.approx(0.25, abs=0.03)
    assert np.array_equal(tower(same)[0], with_id)


def test_adapt_starts_from_the_principal_components():
    random = np.random.default_rng(3)
    # Spread 3 : 2 : 1 along three known axes around a mean.
    axes = np.linalg.qr(random.normal(size=(6, 6)))[0][:, :3]
    text = 5.0 + (random.normal(size=(500, 3)) * [3.0, 2.0, 1.0]) @ axes.T
    tower = make_tower(dimension=2, category_sizes={}, vector_sizes={})
    tower.adapt(text.astype(np.float32), np.array([np.nan, np.e - 1, np.e**3 - 1]))
    np.testing.assert_allclose(tower.text_mean, text.mean(axis=0), rtol=1e-5)
    projection = tower.text_projection.numpy()
    unit = projection / np.linalg.norm(projection, axis=0)
    overlap = np.abs(unit.T @ axes)
    np.testing.assert_allclose(overlap, [[1, 0, 0], [0, 1, 0]], atol=0.1)
    # Before they are scaled to unit length, items have norm 1 on average.
    projected = (text - text.mean(axis=0)) @ projection
    assert np.mean(np.sum(projected**2, axis=1)) == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_allclose(tower.price_scale, [2.0, 1.0], rtol=1e-6)


def test_adapt_keeps_the_similarity_of_texts():
    """With as many dimensions as the text has, cosines are those of the centred text vectors."""
    random = np.random.default_rng(4)
    text = random.normal(size=(20, 6)).astype(np.float32)
    tower = make_tower(dimension=6, num_ids=20, category_sizes={}, vector_sizes={})
    tower.adapt(text, np.full(20, np.nan))
    ids = tf.range(1, 21)
    vectors = tower({"id": ids, "text": tf.constant(text), "price": tf.fill([20], np.nan)}).numpy()
    centred = text - text.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors @ vectors.T, centred @ centred.T, atol=1e-5)


@pytest.mark.parametrize("text", [np.zeros((1, 6)), np.ones((5, 6)), np.eye(6)[:2]])
def test_adapt_to_texts_that_hardly_differ(text):
    tower = make_tower(category_sizes={}, vector_sizes={})
    tower.adapt(text.astype(np.float32), np.full(len(text), np.nan))
    batch = features([1])
    assert np.isfinite(tower({name: batch[name] for name in ("id", "text", "price")})).all()


def test_mixed_precision_keeps_weights_and_prices_in_float32():
    tower = make_tower(dtype="mixed_bfloat16", id_dropout=0.0)
    set_weights(tower)
    exact = make_tower(id_dropout=0.0)
    exact.set_weights(tower.get_weights())
    # Prices that bfloat16, with its 8 bits, could not tell from 1000.
    tower.price_scale.assign([np.log1p(1000.0), 0.0005])
    exact.price_scale.assign(tower.price_scale)
    batch = features([1, 2, 3], price=tf.constant([999.0, 1000.0, 1001.0]))
    assert {weight.dtype for weight in tower.weights} == {tf.float32}
    assert tower(batch).dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(tower(batch), tf.float32), exact(batch), atol=0.03)


def test_vectors_are_added_about_their_mean():
    tower = make_tower(
        dimension=2, text_dimension=2, category_sizes={}, use_price=False,
        vector_sizes={"image": 2}, vector_dropout=0.0,
    )  # fmt: skip
    text = np.eye(2, dtype=np.float32)
    # Directions (1, 0) and (0, 1): their mean is (1/2, 1/2), and both are 1/sqrt(2) from it.
    pictures = np.array([[3, 0], [0, 5], [0, 0]], np.float32)
    tower.adapt(text, np.full(2, np.nan), {"image": pictures})
    tower.text_projection.assign(np.eye(2))
    tower.text_mean.assign([0, 0])
    tower.vector_projections["image"].projection.assign([[1, 0], [0, 0]])
    items = {"id": tf.zeros([3], tf.int64), "text": tf.constant([[0, 1.0]] * 3)}
    found = tower({**items, "vector/image": tf.constant(pictures)})
    half = np.sqrt(0.5)
    expected = [np.array([half, 1]) / np.sqrt(1.5), np.array([-half, 1]) / np.sqrt(1.5), [0, 1]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_item_without_vectors_is_where_a_tower_without_them_puts_it():
    tower = make_tower(id_dropout=0.0)
    set_weights(tower)
    plain = make_tower(vector_sizes={}, id_dropout=0.0)
    of_vectors = {id(w) for part in tower.vector_projections.values() for w in part.weights}
    plain.set_weights([w.numpy() for w in tower.weights if id(w) not in of_vectors])
    batch = features([1, 2, 3])
    absent = {name: tf.zeros_like(batch[name]) for name in batch if name.startswith("vector/")}
    for training in (False, True):
        np.testing.assert_array_equal(
            tower({**batch, **absent}, training=training), plain(batch, training=training)
        )
    assert np.abs(tower(batch) - plain(batch)).max() > 0.01


def test_impossible_dimension():
    with pytest.raises(ValueError, match=r"should be a positive integer\. Received: 0"):
        make_tower(dimension=0)
