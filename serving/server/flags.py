"""The server's command line: the official server's flag names and defaults."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from serving import wire
from serving.server.served_model import ModelConfig, Policy


class FlagError(Exception):
    """Flags that cannot work: one sentence that says what to change."""


@dataclass(frozen=True)
class Flags:
    """What the server was started with."""

    port: int
    rest_api_port: int
    rest_api_timeout_in_ms: int
    host: str
    models: tuple[ModelConfig, ...]
    poll_seconds: float
    max_num_load_retries: int
    load_retry_seconds: float
    enable_model_warmup: bool
    grpc_max_threads: int
    intra_op_threads: int
    inter_op_threads: int
    exit_with_pid: int | None


def parse(arguments: list[str] | None = None) -> Flags:
    """Reads the flags and the model configuration file they may name.

    Raises:
        FlagError: if they contradict each other or the file cannot be read.
    """
    options = _parser().parse_args(arguments)
    if options.model_config_file:
        models = read_model_config(Path(options.model_config_file))
    elif options.model_base_path:
        models = (ModelConfig(options.model_name, Path(options.model_base_path)),)
    else:
        raise FlagError("give --model_base_path or --model_config_file")
    if not 1 <= options.port <= 65535:
        raise FlagError(f"--port should be between 1 and 65535, not {options.port}")
    return Flags(
        port=options.port,
        rest_api_port=options.rest_api_port,
        rest_api_timeout_in_ms=options.rest_api_timeout_in_ms,
        host=options.host,
        models=models,
        poll_seconds=options.file_system_poll_wait_seconds,
        max_num_load_retries=options.max_num_load_retries,
        load_retry_seconds=options.load_retry_interval_micros / 1e6,
        enable_model_warmup=options.enable_model_warmup,
        grpc_max_threads=options.grpc_max_threads,
        intra_op_threads=options.tensorflow_intra_op_parallelism,
        inter_op_threads=options.tensorflow_inter_op_parallelism,
        exit_with_pid=options.exit_with_pid,
    )


def read_model_config(path: Path) -> tuple[ModelConfig, ...]:
    """Reads a ModelServerConfig in protobuf's text format.

    Raises:
        FlagError: if it is missing, malformed, or lists a model twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
        message = text_format.Parse(text, wire.ModelServerConfig())
    except OSError as error:
        raise FlagError(f"cannot read the model config file {path} ({error.strerror})") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise FlagError(f"{path} is no ModelServerConfig in text format ({error})") from error
    models = tuple(_model_config(config) for config in message.model_config_list.config)
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise FlagError(f"{path} lists the model {name} twice; give each a name of its own")
    if not models:
        raise FlagError(f"{path} lists no model")
    return models


def _model_config(message: Any) -> ModelConfig:
    path = Path(message.base_path)
    if not path.is_absolute():
        raise FlagError(
            f"the base_path of model {message.name} should be an absolute path, not {path}"
        )
    return ModelConfig(
        message.name, path, _policy(message.model_version_policy), dict(message.version_labels)
    )


def _policy(message: Any) -> Policy:
    kind = message.WhichOneof("policy_choice") or "latest"
    if kind == "specific":
        return Policy("specific", versions=tuple(message.specific.versions))
    if kind == "all":
        return Policy("all")
    return Policy("latest", count=message.latest.num_versions or 1)


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
    add = parser.add_argument
    add("--port", type=int, default=8500, help="gRPC port")
    add("--rest_api_port", type=int, default=0, help="HTTP port; 0 for none")
    add("--rest_api_timeout_in_ms", type=int, default=30_000)
    add("--model_name", default="default", help="with --model_base_path")
    add("--model_base_path", default="", help="folder with one model's versions")
    add("--model_config_file", default="", help="ModelServerConfig in protobuf's text format")
    add(
        "--file_system_poll_wait_seconds",
        type=float,
        default=1.0,
        help="how often to look for new versions; 0 for once",
    )
    add("--max_num_load_retries", type=int, default=5)
    add("--load_retry_interval_micros", type=int, default=60_000_000)
    add("--enable_model_warmup", type=_boolean, nargs="?", const=True, default=True)
    add("--grpc_max_threads", type=int, default=16, help="requests handled at a time")
    add("--tensorflow_intra_op_parallelism", type=int, default=0)
    add("--tensorflow_inter_op_parallelism", type=int, default=0)
    add("--host", default="0.0.0.0", help="address to listen on (not a flag of the official one)")
    add(
        "--exit_with_pid",
        type=int,
        default=None,
        help="end when this parent process has ended (not a flag of the official one)",
    )
    return parser
