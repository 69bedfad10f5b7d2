"""The four checks that every layer of tfrec passes: call, training, configuration, SavedModel."""

import json
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

MakeLayer = Callable[[], tf.keras.layers.Layer]


def check_layer(
    make_layer: MakeLayer,
    example_inputs: Any,
    *,
    unmoved: Collection[str] = (),
    learning_rate: float = 1e-3,
    tolerance: float = 1e-5,
) -> None:
    """Runs all four checks.

    Args:
        make_layer: makes a fresh layer.
        example_inputs: a batch of two or more; a tuple is passed as several arguments. It should
            reach every trainable variable of the layer.
        unmoved: parts of the names of trainable variables that this batch cannot move.
        learning_rate: step of the training check, small enough that one step helps.
        tolerance: absolute and relative difference allowed between two computations.
    """
    check_call(make_layer, example_inputs, tolerance=tolerance)
    check_training(make_layer, example_inputs, unmoved=unmoved, learning_rate=learning_rate)
    check_config(make_layer, example_inputs, tolerance=tolerance)
    check_saved_model(make_layer, example_inputs, tolerance=tolerance)


def check_call(make_layer: MakeLayer, example_inputs: Any, *, tolerance: float = 1e-5) -> None:
    """Outputs are finite, repeatable, and those of a row do not depend on the other rows."""
    layer = make_layer()
    outputs = _call(layer, example_inputs)
    batch = _batch_size(example_inputs)
    assert batch >= 2, "the example should be a batch of two or more"
    for output in tf.nest.flatten(outputs):
        assert output.shape[0] == batch, f"outputs should keep the batch dimension: {output.shape}"
        if output.dtype.is_floating:
            assert np.all(np.isfinite(output.numpy())), "outputs should be finite"
    _assert_same(_call(layer, example_inputs), outputs, 0.0)
    _assert_same(_call(layer, _rows(example_inputs, 1)), _rows(outputs, 1), tolerance)


def check_training(
    make_layer: MakeLayer,
    example_inputs: Any,
    *,
    unmoved: Collection[str] = (),
    learning_rate: float = 1e-3,
) -> None:
    """Every trainable variable has a gradient and moves; no other moves; the loss goes down."""
    layer = make_layer()
    outputs = _call(layer, example_inputs)
    random = np.random.default_rng(0)
    wanted = [
        tf.constant(random.normal(size=output.shape), tf.float32)
        for output in tf.nest.flatten(outputs)
    ]

    def loss(training: bool) -> tf.Tensor:
        outputs = tf.nest.flatten(_call(layer, example_inputs, training=training))
        return -sum(
            tf.reduce_mean(tf.cast(output, tf.float32) * target)
            for output, target in zip(outputs, wanted, strict=True)
        )

    def step(training: bool) -> list[tf.Tensor | None]:
        with tf.GradientTape() as tape:
            value = loss(training)
        gradients = tape.gradient(value, layer.trainable_variables)
        tf.keras.optimizers.legacy.SGD(learning_rate).apply_gradients(
            (gradient, variable)
            for gradient, variable in zip(gradients, layer.trainable_variables, strict=True)
            if gradient is not None
        )
        return gradients

    before = [variable.numpy() for variable in layer.variables]
    gradients = step(training=True)
    for variable, gradient in zip(layer.trainable_variables, gradients, strict=True):
        if not any(part in variable.name for part in unmoved):
            assert gradient is not None, f"{variable.name} has no gradient"
            assert np.all(np.isfinite(tf.convert_to_tensor(gradient).numpy())), variable.name
    trainable = {id(variable) for variable in layer.trainable_variables}
    for variable, old in zip(layer.variables, before, strict=True):
        moved = bool(np.any(variable.numpy() != old))
        if id(variable) not in trainable:
            assert not moved, f"{variable.name} is not trainable, but a training step moved it"
        elif not any(part in variable.name for part in unmoved):
            assert moved, f"{variable.name} is trainable, but a training step left it"
    if trainable:
        # Without dropout, which may make a single step useless.
        loss_before = loss(training=False)
        step(training=False)
        assert loss(training=False) < loss_before, "a training step should lower the loss"


def check_config(make_layer: MakeLayer, example_inputs: Any, *, tolerance: float = 1e-5) -> None:
    """The configuration is JSON and makes an equal layer: same weights in, same outputs out."""
    layer = make_layer()
    outputs = _call(layer, example_inputs)
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    _call(again, example_inputs)
    assert again.get_config() == config
    assert [v.shape for v in again.variables] == [v.shape for v in layer.variables]
    assert [v.trainable for v in again.variables] == [v.trainable for v in layer.variables]
    again.set_weights(layer.get_weights())
    _assert_same(_call(again, example_inputs), outputs, tolerance)


def check_saved_model(
    make_layer: MakeLayer, example_inputs: Any, *, tolerance: float = 1e-5
) -> None:
    """A SavedModel of the layer gives the same outputs, for any batch size."""
    layer = make_layer()
    outputs = _call(layer, example_inputs)
    flat = [tf.convert_to_tensor(value) for value in tf.nest.flatten(example_inputs)]
    signature = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in flat]

    @tf.function(input_signature=signature)
    def serve(*values: tf.Tensor) -> Any:
        return _call(layer, tf.nest.pack_sequence_as(example_inputs, list(values)))

    module = tf.Module()
    module.layer = layer
    module.serve = serve
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, str(Path(folder) / "saved"))
        loaded = tf.saved_model.load(str(Path(folder) / "saved"))
        _assert_same(loaded.serve(*flat), outputs, tolerance)
        _assert_same(loaded.serve(*_rows(flat, 1)), _rows(outputs, 1), tolerance)


def _call(layer: tf.keras.layers.Layer, inputs: Any, training: bool = False) -> Any:
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    # Layers that behave the same in training take no such argument.
    options = {"training": training} if layer._expects_training_arg else {}
    return layer(*arguments, **options)


def _batch_size(inputs: Any) -> int:
    return int(tf.nest.flatten(inputs)[0].shape[0])


def _rows(structure: Any, count: int) -> Any:
    return tf.nest.map_structure(lambda value: value[:count], structure)


def _assert_same(actual: Any, expected: Any, tolerance: float) -> None:
    pairs = zip(tf.nest.flatten(actual), tf.nest.flatten(expected), strict=True)
    for one, other in pairs:
        one, other = one.numpy(), other.numpy()
        assert one.dtype == other.dtype and one.shape == other.shape
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(one, other)
