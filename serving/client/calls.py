"""Single calls of a model server, described without making them.

Everything that a client does is written once, as a generator: it yields a `Call`, is sent the
response (or thrown the `ClientError`), and returns its result. A connection runs it, a blocking
or an asynchronous one (the "sans-IO" style).
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from serving import wire

Result = TypeVar("Result")


@dataclass(frozen=True)
class Method:
    """A method of a gRPC service: its path, and the class of its responses."""

    path: str
    response: Any


PREDICT = Method("/tensorflow.serving.PredictionService/Predict", wire.PredictResponse)
METADATA = Method(
    "/tensorflow.serving.PredictionService/GetModelMetadata", wire.GetModelMetadataResponse
)
STATUS = Method("/tensorflow.serving.ModelService/GetModelStatus", wire.GetModelStatusResponse)
METHODS = (PREDICT, METADATA, STATUS)


@dataclass(frozen=True)
class Call:
    """One call to make.

    Attributes:
        method: what to call.
        request: its message.
        what: whom it asks, in words for an error.
        deadline: when the answer is of no use any more, on the clock of ``time.monotonic``.
    """

    method: Method
    request: Any
    what: str
    deadline: float


Operation: TypeAlias = Generator[Call, Any, Result]


def predict(
    model: str, signature: str, inputs: Mapping[str, Any], deadline: float
) -> Operation[Any]:
    """Calls Predict and returns the PredictResponse.

    Args:
        model: the model's name.
        signature: the signature's name.
        inputs: TensorProtos by alias.
        deadline: as in `Call`.
    """
    request = wire.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, proto in inputs.items():
        request.inputs[alias].CopyFrom(proto)
    return (yield Call(PREDICT, request, f"the model {model}", deadline))


def signatures(model: str, deadline: float) -> Operation[dict[str, Any]]:
    """Calls GetModelMetadata and returns the model's SignatureDefs by name."""
    request = wire.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    response = yield Call(METADATA, request, f"the model {model}", deadline)
    message = wire.SignatureDefMap()
    response.metadata["signature_def"].Unpack(message)
    return dict(message.signature_def)


def status(model: str, deadline: float) -> Operation[list[Any]]:
    """Calls GetModelStatus and returns ModelVersionStatus messages, newest version first."""
    request = wire.GetModelStatusRequest()
    request.model_spec.name = model
    response = yield Call(STATUS, request, f"the model {model}", deadline)
    return list(response.model_version_status)
