"""Predict: from a request message to a response message, with the official server's checks."""

from collections.abc import Iterable
from typing import Any

from serving import wire
from serving.server import arrays
from serving.server.servable import Servable
from serving.server.statuses import Code, ServingError

DEFAULT_SIGNATURE = "serving_default"
METHOD_NAMES = (
    "tensorflow/serving/predict",
    "tensorflow/serving/classify",
    "tensorflow/serving/regress",
)


def predict(servable: Servable, request: Any, timeout_ms: int | None = None) -> Any:
    """Answers a PredictRequest.

    Args:
        servable: the version that answers; the caller holds it.
        request: a PredictRequest.
        timeout_ms: what is left of the client's deadline; None for none.

    Returns:
        A PredictResponse.

    Raises:
        ServingError: with the code and text of the official server.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    if servable.checks_method_names and signature.method_name not in METHOD_NAMES:
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(METHOD_NAMES)}}}. Was: {signature.method_name}",
        )
    inputs = _inputs(signature, request)
    fetches = _fetches(signature, request.output_filter)
    values = servable.run("Predict", signature, inputs, list(fetches.values()), timeout_ms)
    response = wire.PredictResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = name
    for alias, value in zip(fetches, values, strict=True):
        response.outputs[alias].CopyFrom(arrays.to_proto(value))
    return response


def _inputs(signature: Any, request: Any) -> dict[str, Any]:
    """Returns TensorProtos by alias: what was sent, else the signature's default."""
    sent, known = set(request.inputs), set(signature.inputs)
    if len(sent) > len(known) or (len(sent) < len(known) and not signature.defaults):
        raise _invalid(
            f"input size does not match signature: {len(sent)}!={len(known)} "
            f"len({_braced(sent)}) != len({_braced(known)}). Sent extra: {_braced(sent - known)}. "
            f"Missing but required: {_braced(known - sent)}."
        )
    inputs = {}
    for alias in sorted(known):
        if alias in sent:
            inputs[alias] = request.inputs[alias]
        elif alias in signature.defaults:
            inputs[alias] = signature.defaults[alias]
        else:
            raise _invalid(
                f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not "
                "found in request and no default value provided. Inputs expected to be in the "
                f"request {_braced(sent)}, or default input alias set: "
                f"{','.join(sorted(signature.defaults))}"
            )
    if not sent <= known:
        raise _invalid(
            f"Inputs contains invalid name. Used request inputs: {_listed(sent & known)}, "
            f"request input: {_listed(sent)}"
        )
    return inputs


def _fetches(signature: Any, output_filter: Any) -> dict[str, str]:
    """Returns tensor names by output alias, for the filter or for every output."""
    chosen: dict[str, str] = {}
    for alias in output_filter or sorted(signature.outputs):
        if alias not in signature.outputs:
            raise _invalid(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in chosen:
            raise _invalid(f"duplicate output tensor alias: {alias}")
        chosen[alias] = signature.outputs[alias].name
    return chosen


def _listed(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _braced(names: Iterable[str]) -> str:
    return f"{{{_listed(names)}}}"


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
