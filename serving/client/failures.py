"""Status codes of gRPC made errors whose sentence says what to do."""

from typing import Any

import grpc

from serving.errors import (
    AccessError,
    CertificateError,
    ClientError,
    DeadlineError,
    InvalidRequestError,
    ModelMissingError,
    OverloadedError,
    ServerFaultError,
    ServerUnreachableError,
)

# What the TLS library says while a connection is made.
_HANDSHAKE = ("handshake", "verification check failed")
_QUEUE_FULL = "queue"
_TOO_LARGE = "message larger than max"


def explained(error: Any, what: str, address: str) -> ClientError:
    """Returns the error of ours that fits a failed call.

    Args:
        error: the ``grpc.RpcError``, blocking or asynchronous.
        what: whom the call asked, such as ``the model recommender``.
        address: ``HOST:PORT`` of the server.
    """
    code, details = error.code(), error.details() or ""
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return _unavailable(details, address)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineError(
                f"the server at {address} did not answer in time; check the address and the "
                "server's load, or give a longer timeout"
            )
        case grpc.StatusCode.NOT_FOUND:
            return ModelMissingError(
                f"the server at {address} does not serve {what} ({details}); export it with "
                "`tfrec export` into the folder that it serves"
            )
        case grpc.StatusCode.FAILED_PRECONDITION:
            return ModelMissingError(
                f"{what} at {address} cannot answer this kind of question ({details})"
            )
        case grpc.StatusCode.UNIMPLEMENTED:
            return ServerUnreachableError(
                f"what answers at {address} is no model server ({details}); check the port"
            )
        case grpc.StatusCode.INVALID_ARGUMENT:
            return InvalidRequestError(f"{what} at {address} rejected the request: {details}")
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return AccessError(
                f"the server at {address} lets this caller not ask {what} ({details}); check the "
                "key or the certificate that it is given"
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED if _TOO_LARGE in details:
            return InvalidRequestError(
                f"a message to or from {address} is too large ({details}); ask for less, or give "
                "the client a larger max_message_megabytes"
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return _overloaded(details, address)
    return ServerFaultError(
        f"{what} at {address} failed with {code.name}: {details or 'no details'}"
    )


def _unavailable(details: str, address: str) -> ClientError:
    lowered = details.lower()
    if any(words in lowered for words in _HANDSHAKE):
        return CertificateError(f"no secure connection to {address}: {_handshake(details)}")
    if _QUEUE_FULL in lowered:
        return _overloaded(details, address)
    return ServerUnreachableError(
        f"no model server answers at {address}; start one with `tfrec serve --models DIR`, or "
        f"check the host, the port and whether it wants TLS"
    )


def _overloaded(details: str, address: str) -> OverloadedError:
    return OverloadedError(
        f"the server at {address} has too much to do ({details}); ask less often, or add servers"
    )


def _handshake(details: str) -> str:
    """Returns why a TLS handshake failed, and what to do, from the words of the TLS library."""
    lowered = details.lower()
    if "expired" in lowered:
        return "the server's certificate has expired; renew it"
    if "wrong_version_number" in lowered:
        return "it speaks no TLS; leave out `tls`, or start it with --ssl_config_file"
    if "hostname" in lowered or "peer name" in lowered:
        return (
            "its certificate is for another name; use that name, or give it as Tls(server_name=...)"
        )
    if "certificate_verify_failed" in lowered:
        return "its certificate is signed by none of the trusted authorities; give Tls(ca=...)"
    return f"{details}; check the certificates on both sides"
