"""GetModelMetadata and GetModelStatus."""

from typing import Any

from serving import wire
from serving.server.manager import ModelManager
from serving.server.states import VersionStatus
from serving.server.statuses import Code, ServingError

SIGNATURE_DEF = "signature_def"


def get_model_metadata(manager: ModelManager, request: Any) -> Any:
    """Answers a GetModelMetadataRequest with the signatures of a loaded version.

    Raises:
        ServingError: with the code and text of the official server.
    """
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    if not request.metadata_field:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "GetModelMetadataRequest must specify at least one metadata_field",
        )
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise ServingError(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
    with manager.servable(request.model_spec) as servable:
        signatures = wire.SignatureDefMap()
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = wire.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response


def get_model_status(manager: ModelManager, request: Any) -> Any:
    """Answers a GetModelStatusRequest, newest version first, unloaded versions included.

    Raises:
        ServingError: with the code and text of the official server.
    """
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    spec = request.model_spec
    model = manager.models.get(spec.name)
    version = manager.version_of(spec)
    if version is not None:
        status = model.statuses.get(version) if model else None
        if status is None:
            raise ServingError(
                Code.NOT_FOUND, f"Could not find version {version} of model {spec.name}"
            )
        statuses = [status]
    else:
        statuses = model.statuses.all() if model else []
        if not statuses:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
    response = wire.GetModelStatusResponse()
    for status in statuses:
        _add(response, status)
    return response


def _add(response: Any, status: VersionStatus) -> None:
    message = response.model_version_status.add(version=status.version, state=int(status.state))
    message.status.error_code = int(status.code)
    message.status.error_message = status.text
