"""Which models to serve: a ModelServerConfig, checked as the official server checks it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from serving.server.statuses import Code, ServingError

PLATFORM = "tensorflow"
_MODEL_TYPE_TENSORFLOW = 1


@dataclass(frozen=True)
class Policy:
    """Which of a model's versions should be loaded.

    Attributes:
        kind: the newest `count`, every one, or those in `versions`.
    """

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: tuple[int, ...] = ()

    def choose(self, available: set[int]) -> list[int]:
        """Returns the versions to load out of `available`, newest first."""
        newest_first = sorted(available, reverse=True)
        if self.kind == "latest":
            return newest_first[: self.count]
        if self.kind == "all":
            return newest_first
        return [version for version in newest_first if version in self.versions]


@dataclass(frozen=True)
class ModelConfig:
    """A model to serve: its name, where its versions are, which of them, and their labels."""

    name: str
    base_path: Path
    policy: Policy = Policy()
    labels: dict[str, int] = field(default_factory=dict)


def read(message: Any) -> tuple[ModelConfig, ...]:
    """Reads a ModelServerConfig.

    Raises:
        ServingError: INVALID_ARGUMENT with the official server's text, for a model that is listed
            twice, a relative path, or a platform other than TensorFlow.
    """
    if message.WhichOneof("config") == "custom_model_config":
        raise _invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    entries = message.model_config_list.config
    seen = set()
    for entry in entries:
        if entry.name in seen:
            raise _invalid(f"Illegal to list model {entry.name} multiple times in config list")
        seen.add(entry.name)
    return tuple(_model_config(entry) for entry in entries)


def check_labels(
    configs: Iterable[ModelConfig],
    available: dict[str, list[int]],
    current: dict[str, dict[str, int]],
    allow_unavailable: bool,
) -> None:
    """Checks that every label names a version that answers.

    Args:
        configs: the models with their labels.
        available: versions that answer, by model.
        current: versions by label by model, as they are now.
        allow_unavailable: whether a label that is new may name a version that is not loaded yet.

    Raises:
        ServingError: FAILED_PRECONDITION with the official server's text.
    """
    for config in configs:
        for label, version in config.labels.items():
            moved = current.get(config.name, {}).get(label, version) != version
            if allow_unavailable and not moved:
                continue
            if version not in available.get(config.name, ()):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {config.name}, "
                    "which is not currently available for inference",
                )


def _model_config(message: Any) -> ModelConfig:
    _check_platform(message)
    path = Path(message.base_path)
    if not path.is_absolute():
        raise _invalid(
            f"Expected model {message.name} to have an absolute path or URI; "
            f"got base_path()={message.base_path}"
        )
    return ModelConfig(
        message.name, path, _policy(message.model_version_policy), dict(message.version_labels)
    )


def _check_platform(message: Any) -> None:
    if message.model_type and message.model_platform:
        raise _invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            "ModelServerConfig::model_platform."
        )
    if not message.model_type and not message.model_platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform."
        )
    if message.model_platform not in ("", PLATFORM) or (
        not message.model_platform and message.model_type != _MODEL_TYPE_TENSORFLOW
    ):
        platform = message.model_platform or f"of type {message.model_type}"
        raise _invalid(f"Model {message.name} requests unsupported platform {platform}")


def _policy(message: Any) -> Policy:
    kind = message.WhichOneof("policy_choice") or "latest"
    if kind == "specific":
        return Policy("specific", versions=tuple(message.specific.versions))
    if kind == "all":
        return Policy("all")
    return Policy("latest", count=message.latest.num_versions or 1)


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
