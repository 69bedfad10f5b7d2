"""The official server's flags, and a few of our own."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.server.batching.options import BatchingOptions
from serving.server.config_files import (
    FlagError,
    read_batching_parameters,
    read_credentials,
    read_metrics_path,
    read_model_config,
)
from serving.server.model_configs import ModelConfig

THREADS = 16
# With batching a thread waits for each request of the batches that run and that gather.
BATCHING_THREADS = 128
# They tune what the embedded server does not have, and are accepted so that one command line
# fits both servers.
WITHOUT_EFFECT = (
    "flush_filesystem_caches",
    "remove_unused_fields_from_bundle_metagraph",
    "enable_profiler",
    "num_load_threads",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
)


@dataclass(frozen=True)
class Flags:
    """What the server was started with; names are those of the flags."""

    port: int
    grpc_socket_path: str
    grpc_channel_arguments: tuple[tuple[str, int | str], ...]
    grpc_max_threads: int
    enable_grpc_healthcheck_service: bool
    credentials: grpc.ServerCredentials | None
    host: str
    rest_api_port: int
    rest_api_num_threads: int
    rest_api_timeout_in_ms: int
    rest_api_enable_cors_support: bool
    metrics_path: str | None
    models: tuple[ModelConfig, ...]
    model_config_file: Path | None
    model_config_file_poll_wait_seconds: float
    allow_version_labels_for_unavailable_models: bool
    poll_seconds: float
    max_num_load_retries: int
    load_retry_seconds: float
    enable_model_warmup: bool
    num_request_iterations_for_warmup: int
    enable_signature_method_name_check: bool
    batching: BatchingOptions | None
    intra_op_threads: int
    inter_op_threads: int
    exit_with_pid: int | None
    without_effect: tuple[str, ...]


def parse(arguments: list[str] | None = None) -> Flags:
    """Reads the flags and the files that they name.

    Raises:
        FlagError: if they contradict each other or a file cannot be read.
    """
    options = _parser().parse_args(arguments)
    config_file = Path(options.model_config_file) if options.model_config_file else None
    if config_file:
        models = read_model_config(config_file)
    elif options.model_base_path:
        if not Path(options.model_base_path).is_absolute():
            raise FlagError(
                f"--model_base_path should be an absolute path, not {options.model_base_path}"
            )
        models = (ModelConfig(options.model_name, Path(options.model_base_path)),)
    else:
        raise FlagError("give --model_base_path or --model_config_file")
    for name in ("port", "rest_api_port"):
        lowest = 1 if name == "port" else 0
        if not lowest <= getattr(options, name) <= 65535:
            raise FlagError(
                f"--{name} should be between {lowest} and 65535, not {getattr(options, name)}"
            )
    if options.port == options.rest_api_port:
        raise FlagError(f"--port and --rest_api_port should differ; both are {options.port}")
    intra = options.tensorflow_intra_op_parallelism or options.tensorflow_session_parallelism
    inter = options.tensorflow_inter_op_parallelism or options.tensorflow_session_parallelism
    batching = _batching(options)
    threads = options.grpc_max_threads or (BATCHING_THREADS if batching else THREADS)
    monitoring, tls = options.monitoring_config_file, options.ssl_config_file
    return Flags(
        port=options.port,
        grpc_socket_path=options.grpc_socket_path,
        grpc_channel_arguments=_channel_arguments(options.grpc_channel_arguments),
        grpc_max_threads=threads,
        enable_grpc_healthcheck_service=options.enable_grpc_healthcheck_service,
        credentials=read_credentials(Path(tls)) if tls else None,
        host=options.host,
        rest_api_port=options.rest_api_port,
        rest_api_num_threads=options.rest_api_num_threads or threads,
        rest_api_timeout_in_ms=options.rest_api_timeout_in_ms,
        rest_api_enable_cors_support=options.rest_api_enable_cors_support,
        metrics_path=read_metrics_path(Path(monitoring)) if monitoring else None,
        models=models,
        model_config_file=config_file,
        model_config_file_poll_wait_seconds=options.model_config_file_poll_wait_seconds,
        allow_version_labels_for_unavailable_models=(
            options.allow_version_labels_for_unavailable_models
        ),
        poll_seconds=options.file_system_poll_wait_seconds,
        max_num_load_retries=options.max_num_load_retries,
        load_retry_seconds=options.load_retry_interval_micros / 1e6,
        enable_model_warmup=options.enable_model_warmup,
        num_request_iterations_for_warmup=max(1, options.num_request_iterations_for_warmup),
        enable_signature_method_name_check=options.enable_signature_method_name_check,
        batching=batching,
        intra_op_threads=intra,
        inter_op_threads=inter,
        exit_with_pid=options.exit_with_pid,
        without_effect=tuple(name for name in WITHOUT_EFFECT if getattr(options, name) is not None),
    )


def _batching(options: argparse.Namespace) -> BatchingOptions | None:
    file = options.batching_parameters_file
    if not options.enable_batching:
        if file:
            raise FlagError("--batching_parameters_file needs --enable_batching; give both or none")
        return None
    return read_batching_parameters(Path(file)) if file else BatchingOptions()


def _channel_arguments(text: str) -> tuple[tuple[str, int | str], ...]:
    arguments: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise FlagError(f"--grpc_channel_arguments should be NAME=VALUE,..., not {part}")
        is_number = value.removeprefix("-").isdecimal()
        arguments.append((name, int(value) if is_number else value))
    return tuple(arguments)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"should be true or false, not {text}")
    return text.lower() in ("true", "1")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.server",
        description="An embedded model server that speaks TensorFlow Serving's protocol.",
        allow_abbrev=False,
    )

    def number(name: str, default: int, what: str = "", kind: type = int) -> None:
        parser.add_argument(f"--{name}", type=kind, default=default, help=what)

    def text(name: str, what: str, default: str = "") -> None:
        parser.add_argument(f"--{name}", default=default, help=what)

    def switch(name: str, default: bool, what: str) -> None:
        parser.add_argument(
            f"--{name}", type=_boolean, nargs="?", const=True, default=default, help=what
        )

    number("port", 8500, "gRPC port")
    text("grpc_socket_path", "a UNIX socket that answers gRPC, too")
    text("grpc_channel_arguments", "NAME=VALUE,... for gRPC")
    number("grpc_max_threads", 0, "requests handled at a time; 0 for as many as fit")
    switch("enable_grpc_healthcheck_service", False, "answer the standard health service")
    text("ssl_config_file", "SSLConfig: TLS for gRPC")
    number("rest_api_port", 0, "HTTP port; 0 for none")
    number("rest_api_num_threads", 0, "HTTP requests handled at a time; 0 for as many as of gRPC")
    number("rest_api_timeout_in_ms", 30_000, "bound of a request over HTTP")
    switch("rest_api_enable_cors_support", False, "let web pages of other hosts ask")
    text("monitoring_config_file", "MonitoringConfig: metrics for Prometheus on the HTTP port")
    text("model_name", "with --model_base_path", "default")
    text("model_base_path", "folder with one model's versions")
    text("model_config_file", "ModelServerConfig: several models, policies, labels")
    number("model_config_file_poll_wait_seconds", 0, "how often to read it again; 0: never", float)
    switch("allow_version_labels_for_unavailable_models", False, "labels before their version")
    number("file_system_poll_wait_seconds", 1, "how often to look for versions; 0: once", float)
    number("max_num_load_retries", 5)
    number("load_retry_interval_micros", 60_000_000)
    switch("enable_model_warmup", True, "run a version's warm-up records before it answers")
    number("num_request_iterations_for_warmup", 0, "how often each record runs; 0 for once")
    switch("enable_signature_method_name_check", False, "refuse calls that a signature is not for")
    switch("enable_batching", False, "run requests of several clients together")
    text("batching_parameters_file", "BatchingParameters")
    number("tensorflow_session_parallelism", 0, "threads within and over operations")
    number("tensorflow_intra_op_parallelism", 0, "threads within an operation")
    number("tensorflow_inter_op_parallelism", 0, "threads over operations")
    for name in WITHOUT_EFFECT:
        parser.add_argument(f"--{name}", nargs="?", const="", help="no effect here")
    text("host", "address to listen on (not a flag of the official server)", "0.0.0.0")
    parser.add_argument(
        "--exit_with_pid",
        type=int,
        default=None,
        help="end when this parent process has ended (not a flag of the official server)",
    )
    return parser
