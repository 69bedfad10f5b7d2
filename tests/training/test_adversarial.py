"""Adversarial steps worked by hand, and which variables of the models they move."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tests.models.small_model import retrieval_model, tiny_encoder, training_batch
from tfrec.config import TrainingConfig
from tfrec.errors import UserError
from tfrec.training.adversarial import (
    FastGradientMethod,
    WeightPerturbation,
    embedding_tables,
    make_adversary,
)
from tfrec.training.gradients import added
from tfrec.training.step import make_train_step, trained_variables


class Squares(tfrs.models.Model):
    """Half the squared rows that a batch names, by a gather or by a product with one-hot rows."""

    def __init__(self, sparse):
        super().__init__()
        self.table = tf.Variable([[3.0, 4.0], [0.0, 0.0], [5.0, 12.0]], name="id_offset")
        self.bias = tf.Variable([2.0])
        self.sparse = sparse

    def compute_loss(self, inputs, training=False):
        if self.sparse:
            rows = tf.gather(self.table, inputs["rows"])
        else:
            rows = tf.matmul(tf.one_hot(inputs["rows"], 3), self.table)
        return 0.5 * tf.reduce_sum(rows**2) + 0.5 * tf.reduce_sum(self.bias**2)


def step_of(model, adversary):
    parts = {"table": model.table, "bias": model.bias}
    return make_train_step(model, tf.keras.optimizers.SGD(0.1), parts, adversary)


@pytest.mark.parametrize("sparse", [True, False])
def test_fast_gradient_method_worked_by_hand(sparse):
    """Row 0 occurs twice: its gradient is 2 (3, 4), and half a unit along it is (0.3, 0.4)."""
    model = Squares(sparse)
    step = step_of(model, FastGradientMethod(0.5, [model.table]))
    figures = step({"rows": tf.constant([0, 0, 1])})
    # Twice half of (5.5)^2, and the bias as it was: only tables are moved.
    assert float(figures["loss/adversarial"]) == pytest.approx(5.5**2 + 2.0)
    assert float(figures["loss/model"]) == pytest.approx(25.0 + 2.0)
    assert float(figures["loss"]) == pytest.approx(5.5**2 + 25.0 + 4.0)
    # Both gradients: 2 (3, 4) + 2 (3.3, 4.4), and 2 + 2 for the bias.
    assert float(figures["gradient_norm/table"]) == pytest.approx(21.0)
    assert float(figures["gradient_norm/bias"]) == pytest.approx(4.0)
    expected = [[3 - 1.26, 4 - 1.68], [0, 0], [5, 12]]
    np.testing.assert_allclose(model.table, expected, rtol=1e-6)
    assert model.table.numpy()[2].tolist() == [5.0, 12.0], "nobody read row 2"
    assert float(model.bias[0]) == pytest.approx(1.6)


@pytest.mark.parametrize("sparse", [True, False])
def test_weight_perturbation_worked_by_hand(sparse):
    """The table has norm 13.93 and is moved by a tenth of it, all along row 2."""
    model = Squares(sparse)
    norm = np.sqrt(25 + 169)
    figures = step_of(model, WeightPerturbation(0.1))({"rows": tf.constant([2])})
    assert set(figures) == {"loss", *(f"gradient_norm{e}" for e in ("", "/table", "/bias"))}
    assert float(figures["loss"]) == pytest.approx(0.5 * (13 + 0.1 * norm) ** 2 + 2.0, rel=1e-6)
    # The gradient where the weights went is taken from where they were; vectors do not move.
    assert float(figures["gradient_norm/table"]) == pytest.approx(13 + 0.1 * norm, rel=1e-6)
    factor = 1 - 0.1 * (13 + 0.1 * norm) / 13
    np.testing.assert_allclose(model.table[2], [5 * factor, 12 * factor], rtol=1e-6)
    assert model.table.numpy()[:2].tolist() == [[3.0, 4.0], [0.0, 0.0]]
    assert float(model.bias[0]) == pytest.approx(1.8)


@pytest.mark.parametrize("adversary", [FastGradientMethod, WeightPerturbation])
def test_weights_that_no_optimiser_moves_are_the_same_to_the_bit(adversary):
    model = retrieval_model(negatives="sampled", sampled_negatives=8, dropout=0.3)
    random = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape, scale=0.1))
    before = [variable.numpy() for variable in model.trainable_variables]
    tables = embedding_tables(trained_variables(model.parts))
    chosen = adversary(0.1, tables) if adversary is FastGradientMethod else adversary(0.1)
    step = make_train_step(model, tf.keras.optimizers.SGD(0.0), model.parts, chosen)
    assert float(step(training_batch())["gradient_norm"]) > 0
    for variable, was in zip(model.trainable_variables, before, strict=True):
        assert (variable.numpy() == was).all(), variable.name


def test_the_worst_move_raises_the_loss_of_a_model():
    model = retrieval_model()
    tables = embedding_tables(trained_variables(model.parts))
    step = make_train_step(
        model, tf.keras.optimizers.SGD(0.0), model.parts, FastGradientMethod(0.1, tables)
    )
    figures = step(training_batch())
    assert float(figures["loss/adversarial"]) > float(figures["loss/model"]) + 0.01


def names(parts):
    tables = embedding_tables(trained_variables(parts))
    return sorted(table.name.split("/")[-1] for table in tables)


def test_embedding_tables_of_the_models(tmp_path):
    contexts = ["category_0:0", "context_0:0", "event_embedding:0", "gap_embedding:0"]
    assert names(retrieval_model().parts) == [*contexts, "id_offset:0"]
    assert names(retrieval_model(text_fusion="text").parts) == contexts, "ids are not trained there"
    encoder = tiny_encoder(tmp_path, "full")
    # Of tokens, places and segments.
    assert names({"text_encoder": encoder}) == ["embeddings:0"] * 3


def test_a_model_without_embeddings():
    line = {"dense": [tf.Variable([[1.0]], name="kernel")]}
    with pytest.raises(UserError, match=r"^Ranking: training\.adversarial: fgm .* none; set it"):
        make_adversary(TrainingConfig(adversarial="fgm"), line, "Ranking")
    assert make_adversary(TrainingConfig(), line, "Ranking") is None
    awp = make_adversary(TrainingConfig(adversarial="awp"), line, "Ranking")
    assert isinstance(awp, WeightPerturbation)


def test_sums_of_gradients():
    rows = tf.IndexedSlices(tf.constant([[1.0], [2.0]]), tf.constant([0, 0]), tf.constant([2, 1]))
    whole = tf.constant([[10.0], [20.0]])
    both = added(rows, rows)
    assert isinstance(both, tf.IndexedSlices)
    assert tf.convert_to_tensor(both).numpy().tolist() == [[6.0], [0.0]]
    assert added(rows, whole).numpy().tolist() == [[13.0], [20.0]]
    assert added(None, whole) is whole and added(rows, None) is rows
