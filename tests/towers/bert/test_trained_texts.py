import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_bert import write_tiny_bert
from tfrec.towers.bert.augmentation import Augmentation, kinds_of_pieces
from tfrec.towers.bert.tokens import TokenRows, token_batches
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.trained_texts import TextCost, TrainedTexts, stored_activations
from tfrec.towers.bert.weights import find_weights

TEXTS = [
    "red cotton dress",
    "usb",
    "lamp shade for the heart of a light holder",
    "usb",
    "",
    "blue zebra lamp",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    return find_weights(write_tiny_bert(folder, layers=3, hidden_dropout_prob=0.0))


def texts_of(files, policy="top-n", **cost):
    tower = BertTextTower.from_files(files, policy, top_n=1, max_tokens=16)
    tokens = TokenRows.of(tower, [text.encode() for text in TEXTS])
    return TrainedTexts(tower, tokens, TextCost(**cost))


def test_equal_texts_are_one_row(files):
    tokens = texts_of(files).tokens
    assert tokens.row_of_text.tolist() == [0, 1, 2, 1, 3, 4]
    assert len(tokens) == 5
    assert tokens.lengths.tolist() == [5, 3, 11, 2, 9]  # "zebra" is spelt in letters
    token_ids, mask = tokens.padded(np.array([3, 1]))
    assert mask.tolist() == [[True, True, False], [True, True, True]]
    assert token_ids[0, 2] == 0


def test_batches_hold_every_row_once_and_about_equal_lengths():
    lengths = np.array([3, 9, 4, 3, 50, 2])
    batches = list(token_batches(lengths, 12))
    assert [batch.tolist() for batch in batches] == [[4], [1], [2, 0, 3], [5]]


@pytest.mark.parametrize("activations", [True, False])
@pytest.mark.parametrize("policy", ["top-n", "lora", "adapter", "full"])
def test_a_step_encodes_as_the_tower_does(files, policy, activations):
    texts = texts_of(files, policy, activations=activations)
    expected = texts.tower(tf.constant(TEXTS)).numpy()
    items, vectors = texts.encode(tf.constant([[4, 1, 0], [6, 4, 3]]))
    assert sorted(items.numpy().tolist()) == [1, 3, 4, 6]
    np.testing.assert_allclose(vectors, expected[items.numpy() - 1], atol=1e-5)
    np.testing.assert_allclose(texts.encode_all(), expected, atol=1e-5)
    assert {v.ref() for v in texts.trainable_variables} == {
        v.ref() for v in texts.tower.trainable_variables
    }


def test_kept_activations_change_neither_vectors_nor_gradients(files):
    target = tf.constant(np.random.default_rng(0).normal(size=(6, 32)), tf.float32)
    found = []
    for activations in (True, False):
        texts = texts_of(files, activations=activations)
        with tf.GradientTape() as tape:
            items, vectors = texts.encode(tf.range(1, 7))
            loss = tf.reduce_sum(vectors * tf.gather(target, items - 1))
        found.append(tape.gradient(loss, texts.tower.trainable_variables))
    for kept, computed in zip(*found, strict=True):
        np.testing.assert_allclose(kept, computed, atol=1e-4)


def test_a_step_encodes_no_more_than_it_may(files):
    texts = texts_of(files, texts_per_step=2)
    drawn = set()
    for _ in range(30):
        items, vectors = texts.encode(tf.range(7))
        assert items.shape == (2,)
        assert vectors.shape == (2, 32)
        drawn |= set(items.numpy().tolist())
    assert drawn == {1, 2, 3, 4, 5, 6}


def test_a_step_without_items_encodes_nothing(files):
    items, vectors = texts_of(files).encode(tf.zeros([2, 3], tf.int64))
    assert items.shape == (0,)
    assert vectors.shape == (0, 32)


def test_hidden_tokens_change_vectors_in_training_only(files):
    texts = texts_of(files, augmentation=Augmentation(token_dropout=0.5))
    expected = texts.tower(tf.constant(TEXTS)).numpy()
    np.testing.assert_allclose(texts.encode_all(), expected, atol=1e-5)
    items, vectors = texts.encode(tf.range(1, 7))
    changed = np.abs(vectors.numpy() - expected[items.numpy() - 1]).max(axis=1) > 1e-3
    assert changed[2]


def test_swapped_words_are_whole_words_and_neighbours(files):
    tower = BertTextTower.from_files(files, max_tokens=16)
    token_ids, mask = tower.tokenize(tf.constant(["red blue lamp usb", "red zebra lamp"]))
    kinds = kinds_of_pieces(tower)
    swap = Augmentation(word_swap=1.0 - 1e-9)
    tf.random.set_seed(1)
    orders = set()
    for _ in range(20):
        changed, same = swap.apply(token_ids, mask, kinds)
        np.testing.assert_array_equal(same, mask)
        orders.add(tuple(changed[0].numpy().tolist()))
        # "zebra" is of several pieces, so nobody changes places with it.
        np.testing.assert_array_equal(changed[1], token_ids[1])
    start, red, blue, lamp, usb, end, *rest = token_ids[0].numpy().tolist()
    assert orders == {
        (start, blue, red, usb, lamp, end, *rest),
        (start, red, lamp, blue, usb, end, *rest),
    }


def test_token_dropout_hides_its_share_and_never_the_first():
    mask = tf.sequence_mask([200] * 50 + [100] * 50, 200)
    tf.random.set_seed(2)
    _, kept = Augmentation(token_dropout=0.3).apply(
        tf.zeros([100, 200], tf.int32), mask, tf.zeros([1], tf.int32)
    )
    kept = kept.numpy()
    assert kept[:, 0].all()
    assert not kept[50:, 100:].any()
    assert kept[:50].mean() == pytest.approx(0.7, abs=0.02)


def test_activations_are_computed_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return np.arange(6, dtype=np.float32).reshape(3, 2)

    path = tmp_path / "activations" / "a.npy"
    for _ in range(2):
        np.testing.assert_array_equal(stored_activations(path, compute), compute())
    assert len(calls) == 3  # one of them by the cache
    path.write_bytes(path.read_bytes()[:-5])
    np.testing.assert_array_equal(stored_activations(path, compute), np.load(path))
    assert len(calls) == 4
