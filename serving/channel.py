"""Calls to a model server: deadlines, retries, and failures turned into `ClientError`."""

import ipaddress
import random
import time
from collections.abc import Mapping
from typing import Any

import grpc

from serving import wire
from serving.errors import (
    ClientError,
    DeadlineError,
    InvalidRequestError,
    ModelMissingError,
    ServerFaultError,
    ServerUnreachableError,
)

PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
FIRST_BACKOFF_SECONDS = 0.1
MAX_BACKOFF_SECONDS = 2.0
MEGABYTE = 1 << 20


class ModelServerChannel:
    """One connection to a model server, shared by all threads.

    Attributes:
        address: ``HOST:PORT``.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        max_message_megabytes: int = 64,
    ) -> None:
        """Prepares the connection; it is made at the first call.

        Args:
            address: ``HOST:PORT`` of the server's gRPC port.
            timeout: deadline of a call in seconds, retries included.
            retries: how often a call is tried again when the server is unavailable.
            max_message_megabytes: largest answer that is accepted.

        Raises:
            InvalidRequestError: if the address is not ``HOST:PORT``.
        """
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise InvalidRequestError(
                f"a server address should be HOST:PORT, such as localhost:8500, not {address!r}"
            )
        self.address = address
        self._timeout = timeout
        self._retries = retries
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", max_message_megabytes * MEGABYTE),
                ("grpc.max_send_message_length", -1),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 2000),
                # gRPC's own retries would add to ours.
                ("grpc.enable_retries", 0),
                # A proxy in the environment is for other machines; it cannot reach this one.
                ("grpc.enable_http_proxy", int(not _is_this_machine(host))),
            ],
        )
        self._methods = {
            path: self._channel.unary_unary(
                path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )
            for path, response in (
                (PREDICT, wire.PredictResponse),
                (METADATA, wire.GetModelMetadataResponse),
                (STATUS, wire.GetModelStatusResponse),
            )
        }

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def predict(
        self, model: str, signature: str, inputs: Mapping[str, Any], timeout: float | None = None
    ) -> dict[str, Any]:
        """Calls Predict.

        Args:
            model: the model's name.
            signature: the signature's name.
            inputs: TensorProtos by alias.
            timeout: deadline in seconds; None for the channel's.

        Returns:
            TensorProtos by alias.

        Raises:
            ClientError: of the kind that fits the failure.
        """
        request = wire.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature
        for alias, proto in inputs.items():
            request.inputs[alias].CopyFrom(proto)
        response = self._call(PREDICT, request, f"the model {model}", timeout)
        return dict(response.outputs)

    def signatures(self, model: str, timeout: float | None = None) -> dict[str, Any]:
        """Returns a model's SignatureDefs by name.

        Raises:
            ClientError: of the kind that fits the failure.
        """
        request = wire.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = model
        response = self._call(METADATA, request, f"the model {model}", timeout)
        signatures = wire.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return dict(signatures.signature_def)

    def status(self, model: str, timeout: float | None = None) -> list[Any]:
        """Returns a model's ModelVersionStatus messages, newest version first.

        Raises:
            ClientError: of the kind that fits the failure.
        """
        request = wire.GetModelStatusRequest()
        request.model_spec.name = model
        response = self._call(STATUS, request, f"the model {model}", timeout)
        return list(response.model_version_status)

    def _call(self, path: str, request: Any, what: str, timeout: float | None) -> Any:
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        backoff = FIRST_BACKOFF_SECONDS
        for attempt in range(self._retries + 1):
            try:
                remaining = max(0.001, deadline - time.monotonic())
                return self._methods[path](request, timeout=remaining)
            except grpc.RpcError as error:
                # Half of the wait is random, so that clients do not come back all at once.
                wait = backoff * random.uniform(0.5, 1.0)
                again = (
                    error.code() == grpc.StatusCode.UNAVAILABLE
                    and attempt < self._retries
                    and time.monotonic() + wait < deadline
                )
                if not again:
                    raise self._explained(error, what) from error
            time.sleep(wait)
            backoff = min(2 * backoff, MAX_BACKOFF_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def _explained(self, error: Any, what: str) -> ClientError:
        code, details = error.code(), error.details() or ""
        if code == grpc.StatusCode.UNAVAILABLE:
            return ServerUnreachableError(
                f"no model server answers at {self.address}; start one with "
                "`tfrec serve --models DIR`, or check the host and the port"
            )
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineError(
                f"the server at {self.address} did not answer in time; check the address and the "
                "server's load, or give a longer timeout"
            )
        if code == grpc.StatusCode.NOT_FOUND:
            return ModelMissingError(
                f"the server at {self.address} does not serve {what} ({details}); export it with "
                "`tfrec export` into the folder that it serves"
            )
        if code == grpc.StatusCode.FAILED_PRECONDITION:
            return ModelMissingError(
                f"{what} at {self.address} cannot answer this kind of question ({details})"
            )
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return ServerUnreachableError(
                f"what answers at {self.address} is no model server ({details}); check the port"
            )
        if code == grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidRequestError(f"{what} at {self.address} rejected the request: {details}")
        return ServerFaultError(
            f"{what} at {self.address} failed with {code.name}: {details or 'no details'}"
        )


def _is_this_machine(host: str) -> bool:
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
