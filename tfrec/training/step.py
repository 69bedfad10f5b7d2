"""One step of training, as a graph: loss, gradients, and how large they were."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tfrec.models.graphs import OpenGraph
from tfrec.training.adversarial import Adversary, LossAndGradients
from tfrec.training.gradients import Gradient, merged, values_of

Batch = Mapping[str, tf.Tensor]


def make_train_step(
    model: tf.keras.Model,
    optimizer: tf.keras.optimizers.Optimizer,
    parts: Mapping[str, Any],
    adversary: Adversary | None = None,
) -> OpenGraph:
    """Returns a function that trains `model` on a batch, as `tfrs.Model.train_step` does.

    Args:
        model: a TFRS model. Where it has a method `loss_parts` that returns the terms of its loss
            by name, their sum is the loss, and each is reported.
        optimizer: applies the gradients.
        parts: the parts of the model, by name, whose gradients are measured apart.
        adversary: changes what is minimised; None for the model's loss as it is.

    Returns:
        A function from a batch to scalars: `loss`, `loss/<term>`, `gradient_norm` and
        `gradient_norm/<part>`, the Euclidean norm of all gradients of a part together. With an
        adversary they are those of what is minimised.
    """
    part_of = {
        variable.ref(): name
        for name, variables in trained_variables(parts).items()
        for variable in variables
    }

    def step(batch: Batch) -> dict[str, tf.Tensor]:
        variables = model.trainable_variables

        def measure() -> LossAndGradients:
            # Names group the operations in TensorBoard's picture of the graph.
            with tf.GradientTape() as tape, tf.name_scope("loss"):
                terms = _loss_terms(model, batch)
                loss = tf.add_n(list(terms.values()))
            return terms, tape.gradient(loss, variables)

        if adversary is None:
            terms, gradients = measure()
        else:
            with tf.name_scope("adversary"):
                terms, gradients = adversary(measure, variables)
        with tf.name_scope("optimiser"):
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
        with tf.name_scope("gradient_norms"):
            return _figures(terms, variables, gradients)

    def _figures(
        terms: dict[str, tf.Tensor],
        variables: list[tf.Variable],
        gradients: list[Gradient | None],
    ) -> dict[str, tf.Tensor]:
        figures = {"loss": tf.add_n(list(terms.values()))}
        if len(terms) > 1:
            figures |= {f"loss/{name}": term for name, term in terms.items()}
        squares: dict[str, list[tf.Tensor]] = {}
        for variable, gradient in zip(variables, gradients, strict=True):
            if gradient is not None:
                name = part_of.get(variable.ref(), "other")
                squares.setdefault(name, []).append(_square(gradient))
        sums = {name: tf.add_n(values) for name, values in squares.items()}
        figures["gradient_norm"] = tf.sqrt(tf.add_n(list(sums.values())))
        return figures | {f"gradient_norm/{name}": tf.sqrt(total) for name, total in sums.items()}

    return OpenGraph(step)


def trained_variables(parts: Mapping[str, Any]) -> dict[str, list[tf.Variable]]:
    """Returns the trainable variables of every part that has any.

    Args:
        parts: layers, modules and variables, or lists and mappings of them, by name.
    """
    found = {}
    for name, part in parts.items():
        variables = []
        for piece in tf.nest.flatten(part):
            whole = [piece] if isinstance(piece, tf.Variable) else piece.trainable_variables
            variables += [variable for variable in whole if variable.trainable]
        if variables:
            found[name] = variables
    return found


def _loss_terms(model: tf.keras.Model, batch: Batch) -> dict[str, tf.Tensor]:
    if hasattr(model, "loss_parts"):
        terms = dict(model.loss_parts(batch, training=True))
    else:
        terms = {"model": model.compute_loss(batch, training=True)}
    if model.losses:
        terms["regularisation"] = tf.add_n(model.losses)
    return terms


def _square(gradient: Gradient) -> tf.Tensor:
    """Returns the squared norm, float32."""
    return tf.reduce_sum(tf.square(tf.cast(values_of(merged(gradient)), tf.float32)))
