"""The official server's ``--ssl_config_file``: SSLConfig in text format, with PEM texts in it."""

from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf import text_format

from serving import wire


class SslConfigError(Exception):
    """A configuration that cannot work: one sentence that says what to change."""


@dataclass(frozen=True)
class SslConfig:
    """What a server needs for TLS.

    Attributes:
        key: the server's private key, PEM.
        certificate: the server's certificate chain, PEM.
        authority: certificates that sign clients' certificates, PEM; empty for the public ones.
        verify_clients: whether a client must show a certificate (mutual TLS).
    """

    key: bytes
    certificate: bytes
    authority: bytes
    verify_clients: bool

    def server_credentials(self) -> grpc.ServerCredentials:
        """Returns the credentials of a gRPC port."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.authority or None,
            require_client_auth=self.verify_clients,
        )


def read_ssl_config(path: Path) -> SslConfig:
    """Reads the file.

    Raises:
        SslConfigError: if it is missing or malformed, or lacks a key or a certificate.
    """
    try:
        message = text_format.Parse(path.read_text(encoding="utf-8"), wire.SSLConfig())
    except OSError as error:
        raise SslConfigError(
            f"cannot read the SSL config file {path} ({error.strerror})"
        ) from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise SslConfigError(f"{path} is no SSLConfig in text format ({error})") from error
    for field in ("server_key", "server_cert"):
        if "-----BEGIN " not in getattr(message, field):
            raise SslConfigError(f"{field} in {path} should be PEM text, not a path")
    if message.custom_ca and "-----BEGIN " not in message.custom_ca:
        raise SslConfigError(f"custom_ca in {path} should be PEM text, not a path")
    if message.client_verify and not message.custom_ca:
        raise SslConfigError(
            f"client_verify in {path} needs custom_ca, the authority of the clients' certificates"
        )
    return SslConfig(
        message.server_key.encode(),
        message.server_cert.encode(),
        message.custom_ca.encode(),
        message.client_verify,
    )
