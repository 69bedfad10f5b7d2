"""The files that flags name: messages in protobuf's text format."""

import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format

from serving import wire
from serving.server import model_configs
from serving.server.batching import options as batching
from serving.server.batching.options import BatchingOptions
from serving.server.metrics import DEFAULT_PATH
from serving.server.model_configs import ModelConfig
from serving.server.statuses import ServingError
from serving.ssl_config import SslConfigError, read_ssl_config


class FlagError(Exception):
    """Flags that cannot work: one sentence that says what to change."""


def read_model_config(path: Path) -> tuple[ModelConfig, ...]:
    """Reads a ModelServerConfig.

    Raises:
        FlagError: if it is missing, malformed, or cannot be served.
    """
    message = _read(path, wire.ModelServerConfig(), "--model_config_file")
    try:
        models = model_configs.read(message)
    except ServingError as error:
        raise FlagError(f"{path} cannot be served ({error.text}); correct that entry") from error
    if not models:
        raise FlagError(f"{path} lists no model; add one to its model_config_list")
    return models


def read_batching_parameters(path: Path) -> BatchingOptions:
    """Reads BatchingParameters.

    Raises:
        FlagError: if the file is missing or malformed, or a value cannot work.
    """
    message = _read(path, wire.BatchingParameters(), "--batching_parameters_file")
    try:
        return batching.from_message(message)
    except ValueError as error:
        raise FlagError(f"{path}: {error}") from error


def read_metrics_path(path: Path) -> str | None:
    """Reads a MonitoringConfig.

    Returns:
        Where Prometheus finds the metrics, or None if they are not to be shown.

    Raises:
        FlagError: if the file is missing or malformed, or the path is not absolute.
    """
    message = _read(path, wire.MonitoringConfig(), "--monitoring_config_file")
    if not message.prometheus_config.enable:
        return None
    metrics_path = message.prometheus_config.path or DEFAULT_PATH
    if not metrics_path.startswith("/"):
        raise FlagError(f"{path}: the path of the metrics should begin with /, not {metrics_path}")
    return metrics_path


def read_credentials(path: Path) -> grpc.ServerCredentials:
    """Reads an SSLConfig.

    Returns:
        What a TLS port needs; clients must show a certificate if the file says so.

    Raises:
        FlagError: if the file is missing or malformed, or key and certificate do not belong
            together.
    """
    try:
        config = read_ssl_config(path)
    except SslConfigError as error:
        raise FlagError(str(error)) from error
    # With a wrong pair gRPC would start all the same, and refuse every client without a word.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as pair:
        pair.write(config.certificate + b"\n" + config.key)
        pair.flush()
        try:
            context.load_cert_chain(pair.name)
            if config.authority:
                context.load_verify_locations(cadata=config.authority.decode())
        except (ssl.SSLError, ValueError) as error:
            raise FlagError(
                f"{path} holds no certificates that work together ({error}); check that "
                "server_key is the key of server_cert"
            ) from error
    return config.server_credentials()


def _read(path: Path, message: Any, flag: str) -> Any:
    kind = message.DESCRIPTOR.name
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except OSError as error:
        raise FlagError(f"cannot read {path}, the {flag} ({error.strerror})") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise FlagError(f"{path} is no {kind} in text format ({error})") from error
