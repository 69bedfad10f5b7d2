"""TLS towards a server: which authority is trusted, and the client's own certificate."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.errors import InvalidRequestError

Pem = bytes | str | Path


@dataclass(frozen=True)
class Tls:
    """What a client needs for a secure connection; ``Tls()`` trusts the public authorities.

    Attributes:
        ca: certificates of the authorities to trust, as a path or as PEM bytes; None for the
            public ones.
        certificate: the client's own certificate, for a server that asks for one (mutual TLS).
        key: the private key of `certificate`.
        server_name: the name in the server's certificate, where it is not the host's.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of a channel.

        Raises:
            InvalidRequestError: if a file cannot be read or is no PEM, or if only one of
                `certificate` and `key` is given.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidRequestError(
                "a client's certificate and its key go together; give both, or none"
            )
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.ca, "ca"),
            private_key=_pem(self.key, "key"),
            certificate_chain=_pem(self.certificate, "certificate"),
        )


def _pem(source: Pem | None, name: str) -> bytes | None:
    if source is None:
        return None
    if isinstance(source, bytes):
        content, where = source, f"the bytes given as {name}"
    else:
        where = str(source)
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise InvalidRequestError(
                f"cannot read {where}, given as {name} ({error.strerror}); check the path"
            ) from error
    # gRPC would only log this, and every call would fail with something else.
    if b"-----BEGIN " not in content:
        raise InvalidRequestError(f"{where} should be PEM, with a line -----BEGIN …-----")
    return content
