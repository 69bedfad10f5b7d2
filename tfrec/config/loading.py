"""Reads and writes configuration files, with errors that name the key and the mend."""

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from tfrec.config.schema import ExperimentConfig
from tfrec.errors import UserError


def load_config(path: str | Path | None = None) -> ExperimentConfig:
    """Returns the configuration in the YAML file `path`, or the defaults for `None`.

    Raises:
        UserError: if the file is missing or not YAML, or holds an unknown key or a wrong
            value; the message gives the key's path and what would be valid.
    """
    if path is None:
        return ExperimentConfig()
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no configuration file {path}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a readable YAML file: {reason}") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise UserError(
            f"{path} should hold sections such as `retrieval:`; it holds a {type(content).__name__}"
        )
    try:
        return ExperimentConfig.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_mistake(error)}") from error


def dump_config(config: BaseModel) -> str:
    """Returns `config` as YAML, every default included."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _first_mistake(error: ValidationError) -> str:
    mistakes = error.errors()
    mistake = mistakes[0]
    path = ".".join(str(part) for part in mistake["loc"])
    more = f" ({len(mistakes) - 1} more mistakes after it)" if len(mistakes) > 1 else ""
    if mistake["type"] == "extra_forbidden":
        valid = _valid_keys(mistake["loc"][:-1])
        close = difflib.get_close_matches(str(mistake["loc"][-1]), valid, n=1, cutoff=0.5)
        hint = f"did you mean `{close[0]}`?" if close else f"valid keys: {', '.join(valid)}"
        return f"unknown key `{path}`; {hint}{more}"
    message = mistake["msg"].removeprefix("Value error, ")
    return f"`{path}`: {message}. Received: {mistake['input']!r}{more}"


def _valid_keys(location: tuple[Any, ...]) -> list[str]:
    section: type[BaseModel] = ExperimentConfig
    for part in location:
        if not isinstance(part, str):
            continue
        annotation = section.model_fields[part].annotation
        for candidate in (annotation, *getattr(annotation, "__args__", ())):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                section = candidate
    return list(section.model_fields)
