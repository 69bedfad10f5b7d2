import numpy as np
import pytest
import tensorflow as tf

from tests.layer_checks import check_layer
from tests.models.small_model import retrieval_model, training_batch
from tfrec.towers.fusion import FUSIONS, TextIdFusion
from tfrec.towers.item import ItemTower

TEXT = tf.constant([[0.6, -0.2], [0.1, 0.4]])
IDS = tf.constant([[0.3, 0.5], [0.0, 0.0]])
KNOWN = tf.constant([[1.0], [0.0]])


@pytest.mark.parametrize("kind", ["concatenate", "gate"])
def test_layer_contract(kind):
    check_layer(lambda: TextIdFusion(kind, 2), (TEXT, IDS, KNOWN))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("sum", [0.9, 0.3]),
        ("text", [0.6, -0.2]),
        ("id", [0.3, 0.5]),
        ("id_from_text", [0.3, 0.5]),
        ("concatenate", [0.9, 0.3]),
        ("gate", [0.9, 0.3]),
    ],
)
def test_it_starts_by_hand(kind, expected):
    fused = TextIdFusion(kind, 2)(TEXT, IDS, KNOWN)
    np.testing.assert_allclose(fused[0], expected, atol=1e-6)
    # Without an id there is the text alone.
    np.testing.assert_allclose(fused[1], TEXT[1], atol=1e-6)


def test_a_gate_decides_how_much_of_the_id_counts():
    layer = TextIdFusion("gate", 2)
    layer.bias.assign([-50.0, np.log(3.0)])
    # Twice the sigmoid: 0 and 2 * 3/4.
    np.testing.assert_allclose(layer(TEXT, IDS, KNOWN)[0], [0.6, -0.2 + 1.5 * 0.5], atol=1e-6)


def test_an_unknown_kind_is_a_value_error():
    with pytest.raises(ValueError, match=r"`kind` should be one of .* Received: kind=product"):
        TextIdFusion("product", 2)


def test_ids_start_from_texts():
    texts = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    towers = {
        kind: ItemTower(4, num_ids=4, text_dimension=5, fusion=kind)
        for kind in ("sum", "id_from_text")
    }
    features = {"id": tf.range(1, 7), "text": tf.constant(texts)}
    vectors = {}
    for kind, tower in towers.items():
        tower.adapt(texts, np.full(6, np.nan))
        vectors[kind] = tower(features).numpy()
    # Items 5 and 6 have no id of their own, and their texts all the same.
    np.testing.assert_allclose(vectors["id_from_text"], vectors["sum"], atol=1e-5)
    assert not towers["id_from_text"].id_offset[0].numpy().any()


@pytest.mark.parametrize("kind", FUSIONS)
def test_what_a_fusion_reads_is_what_trains(kind):
    model = retrieval_model(text_fusion=kind)
    tower = model.item_tower
    before = {v.name: v.numpy() for v in tower.variables}
    model.optimizer = tf.keras.optimizers.Adam(0.01)
    for _ in range(2):
        model.train_step(training_batch())
    moved = {v.name for v in tower.variables if np.any(v.numpy() != before[v.name])}
    parts = {name.split("/")[-1].removesuffix(":0") for name in moved}
    read = {"id_offset", "text_projection", "concatenation", "gate", "gate_bias"} & parts
    assert (
        read
        == {
            "sum": {"id_offset", "text_projection"},
            "text": {"text_projection"},
            "id": {"id_offset"},
            "id_from_text": {"id_offset"},
            "concatenate": {"id_offset", "text_projection", "concatenation"},
            "gate": {"id_offset", "text_projection", "gate", "gate_bias"},
        }[kind]
    )
    vectors = model.item_vectors()[1:].numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
