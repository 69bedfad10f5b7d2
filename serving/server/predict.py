"""Predict: from a request message to a response message, with the official server's checks."""

from typing import Any

from serving import wire
from serving.server.servable import Servable
from serving.server.session import SavedModelSession
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
    outputs = run_signature(servable.session, name, request, timeout_ms)
    response = wire.PredictResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = name
    for alias, proto in outputs.items():
        response.outputs[alias].CopyFrom(proto)
    return response


def run_signature(
    session: SavedModelSession, name: str, request: Any, timeout_ms: int | None
) -> dict[str, Any]:
    """Checks a request against the signature `name` and runs it.

    Returns:
        Output TensorProtos by alias.

    Raises:
        ServingError: with the code and text of the official server.
    """
    signature = session.signatures.get(name)
    if signature is None:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    if signature.method_name not in METHOD_NAMES:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(METHOD_NAMES)}}}. Was: {signature.method_name}",
        )
    _check_inputs(signature, request)
    feeds: list[tuple[str, int]] = []
    try:
        for alias, proto in request.inputs.items():
            handle = session.tensor(proto)
            if handle is None:
                raise ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {alias}")
            feeds.append((signature.inputs[alias].name, handle))
        fetches = _fetches(signature, request.output_filter)
        protos = session.run(feeds, list(fetches.values()), timeout_ms)
    finally:
        for _, handle in feeds:
            session.delete_tensor(handle)
    return dict(zip(fetches, protos, strict=True))


def _check_inputs(signature: Any, request: Any) -> None:
    sent, known = set(request.inputs), set(signature.inputs)
    if len(sent) != len(known):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(sent)}!={len(known)} "
            f"len({_braced(sent)}) != len({_braced(known)}). Sent extra: {_braced(sent - known)}. "
            f"Missing but required: {_braced(known - sent)}.",
        )
    for alias in sorted(sent - known):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input tensor alias not found in signature: {alias}. "
            f"Inputs expected to be in the set {_braced(known)}.",
        )


def _fetches(signature: Any, output_filter: Any) -> dict[str, str]:
    """Returns tensor names by output alias, for the filter or for every output."""
    chosen: dict[str, str] = {}
    for alias in output_filter or sorted(signature.outputs):
        if alias not in signature.outputs:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}.",
            )
        if alias in chosen:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")
        chosen[alias] = signature.outputs[alias].name
    return chosen


def _braced(names: Any) -> str:
    return "{" + ",".join(sorted(names)) + "}"
