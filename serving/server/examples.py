"""Classify, Regress and MultiInference: calls whose inputs are tf.Examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import text_format

from serving import tensors, wire
from serving.server.arrays import Array
from serving.server.predict import DEFAULT_SIGNATURE
from serving.server.servable import Servable
from serving.server.statuses import Code, ServingError

CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
# Aliases that the signatures of these calls have.
INPUTS, CLASSES, SCORES, OUTPUTS = "inputs", "classes", "scores", "outputs"


def classify(servable: Servable, request: Any, timeout_ms: int | None = None) -> Any:
    """Answers a ClassificationRequest; arguments and errors as of `predict`."""
    name, signature = _signature(servable, request.model_spec)
    outputs = _classification_outputs(servable, signature)
    values, count = _run(servable, "Classify", signature, request.input, outputs, timeout_ms)
    response = wire.ClassificationResponse()
    _fill_spec(response.model_spec, servable, name)
    _fill_classes(response.result, signature, values, count)
    return response


def regress(servable: Servable, request: Any, timeout_ms: int | None = None) -> Any:
    """Answers a RegressionRequest; arguments and errors as of `predict`."""
    name, signature = _signature(servable, request.model_spec)
    outputs = _regression_outputs(servable, signature)
    values, count = _run(servable, "Regress", signature, request.input, outputs, timeout_ms)
    response = wire.RegressionResponse()
    _fill_spec(response.model_spec, servable, name)
    _fill_regressions(response.result, signature, values, count)
    return response


def multi_inference(servable: Servable, request: Any, timeout_ms: int | None = None) -> Any:
    """Answers a MultiInferenceRequest with one run; arguments and errors as of `predict`."""
    plans = _plans(servable, request.tasks)
    outputs = sorted({name for _, _, names in plans for name in names})
    first = plans[0][1]
    values, count = _run(servable, "MultiInference", first, request.input, outputs, timeout_ms)
    response = wire.MultiInferenceResponse()
    for task, (name, signature, _) in zip(request.tasks, plans, strict=True):
        result = response.results.add()
        _fill_spec(result.model_spec, servable, name)
        if task.method_name == CLASSIFY:
            _fill_classes(result.classification_result, signature, values, count)
        else:
            _fill_regressions(result.regression_result, signature, values, count)
    return response


def multi_inference_spec(request: Any) -> Any:
    """Returns the ModelSpec that says which version answers a MultiInferenceRequest."""
    return request.tasks[0].model_spec if request.tasks else wire.ModelSpec()


def _plans(servable: Servable, tasks: Any) -> list[tuple[str, Any, list[str]]]:
    """Returns name, signature and tensors to compute of every task."""
    plans: list[tuple[str, Any, list[str]]] = []
    feeds: set[str] = set()
    for task in tasks:
        spec = task.model_spec
        if not spec.name:
            raise _invalid("Found ModelSpec with an empty model name.")
        if spec.name != tasks[0].model_spec.name:
            raise _invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = spec.signature_name or DEFAULT_SIGNATURE
        if any(name == other for other, _, _ in plans):
            raise _invalid(f"Duplicate evaluation of signature: {name}")
        signature = servable.signatures.get(name)
        if signature is None:
            raise _invalid(f"Requested signature not found in model graph: {name}")
        if task.method_name == CLASSIFY:
            outputs = _classification_outputs(servable, signature)
        elif task.method_name == REGRESS:
            outputs = _regression_outputs(servable, signature)
        else:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        feeds.add(signature.inputs[INPUTS].name)
        if len(feeds) > 1:
            raise _invalid("Input tensor must be the same for all Signatures.")
        plans.append((name, signature, outputs))
    return plans


def _signature(servable: Servable, spec: Any) -> tuple[str, Any]:
    name = spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise _invalid(f"No signature was found with the name: {name}")
    return name, signature


def _classification_outputs(servable: Servable, signature: Any) -> list[str]:
    _check_method(servable, signature, "classification", CLASSIFY)
    if len(signature.outputs) not in (1, 2):
        raise _invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    _check_input(signature, "classification")
    found = [alias for alias in (CLASSES, SCORES) if alias in signature.outputs]
    if not found:
        raise _invalid(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or '
            f'"{SCORES}". Signature was: {text_format.MessageToString(signature)}'
        )
    return [signature.outputs[alias].name for alias in found]


def _regression_outputs(servable: Servable, signature: Any) -> list[str]:
    _check_method(servable, signature, "regression", REGRESS)
    if len(signature.outputs) != 1:
        raise _invalid("Expected one output Tensor.")
    _check_input(signature, "regression")
    if OUTPUTS not in signature.outputs:
        raise _invalid(
            f"No regression outputs found in SignatureDef: {text_format.MessageToString(signature)}"
        )
    return [signature.outputs[OUTPUTS].name]


def _check_method(servable: Servable, signature: Any, kind: str, method: str) -> None:
    if servable.checks_method_names and signature.method_name != method:
        raise _invalid(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise _invalid("Expected one input Tensor.")


def _check_input(signature: Any, kind: str) -> None:
    if INPUTS not in signature.inputs:
        raise _invalid(
            f"No {kind} inputs found in SignatureDef: {text_format.MessageToString(signature)}"
        )


def _run(
    servable: Servable,
    call: str,
    signature: Any,
    request_input: Any,
    outputs: Sequence[str],
    timeout_ms: int | None,
) -> tuple[dict[str, Array], int]:
    """Returns values by tensor name, and the number of examples."""
    examples = serialized_examples(request_input)
    if not examples:
        raise _invalid("Input is empty.")
    fed = {INPUTS: tensors.make(tensors.DT_STRING, [len(examples)], examples)}
    values = servable.run(call, signature, fed, outputs, timeout_ms)
    return dict(zip(outputs, values, strict=True)), len(examples)


def serialized_examples(request_input: Any) -> list[bytes]:
    """Returns the examples of an Input, each with the context's features before its own."""
    if request_input.WhichOneof("kind") == "example_list_with_context":
        # Messages one after another are one message: later fields win, maps are merged.
        context = request_input.example_list_with_context.context
        return [context + one for one in request_input.example_list_with_context.examples]
    return list(request_input.example_list.examples)


def _fill_classes(result: Any, signature: Any, values: Mapping[str, Array], count: int) -> None:
    found = {
        alias: values[signature.outputs[alias].name].values
        for alias, dtype in ((CLASSES, tensors.DT_STRING), (SCORES, tensors.DT_FLOAT))
        if alias in signature.outputs
        and _is_matrix(alias, values[signature.outputs[alias].name], dtype, count)
    }
    widths = {value.shape[1] for value in found.values()}
    if len(widths) > 1:
        raise _invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{found[CLASSES].shape[1]} vs. {found[SCORES].shape[1]}"
        )
    for row in range(count):
        classes = result.classifications.add().classes
        for column in range(max(widths)):
            one = classes.add()
            if CLASSES in found:
                one.label = found[CLASSES][row, column].decode("utf-8", errors="replace")
            if SCORES in found:
                one.score = found[SCORES][row, column]


def _is_matrix(alias: str, value: Array, dtype: int, count: int) -> bool:
    shape = value.values.shape
    if len(shape) != 2:
        raise _invalid(
            f"Expected Tensor shape: [batch_size num_classes] but got {_bracketed(shape)}"
        )
    if value.dtype != dtype:
        raise _invalid(
            f"Expected {alias} Tensor of {_type_name(dtype)}. Got: {_type_name(value.dtype)}"
        )
    if shape[0] != count:
        raise _invalid(f"Expected {alias} output batch size of {count}. Got: {shape[0]}")
    return True


def _fill_regressions(result: Any, signature: Any, values: Mapping[str, Array], count: int) -> None:
    value = values[signature.outputs[OUTPUTS].name]
    shape = value.values.shape
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise _invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{_bracketed(shape)}"
        )
    if shape[0] != count:
        raise _invalid(f"Input batch size did not match output batch size: {count} vs. {shape[0]}")
    if value.dtype != tensors.DT_FLOAT:
        raise _invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type_name(value.dtype)}")
    for number in value.values.ravel().tolist():
        result.regressions.add(value=number)


def _fill_spec(spec: Any, servable: Servable, name: str) -> None:
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = name


def _bracketed(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _type_name(dtype: int) -> str:
    return next(name for name, number in wire.DATA_TYPES.items() if number == dtype)


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
