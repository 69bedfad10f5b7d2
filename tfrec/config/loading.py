"""Reads and writes configuration files, with errors that name the key and the mend."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tfrec.config.experiment import ExperimentConfig
from tfrec.config.mistakes import REMOVED, first_mistake, section_class
from tfrec.config.section import Section
from tfrec.errors import UserError

S = TypeVar("S", bound=Section)


def load_config(path: str | Path | None = None) -> ExperimentConfig:
    """Returns the configuration in the YAML file `path`, or the defaults for `None`.

    Raises:
        UserError: as `load_section` does.
    """
    return load_section(path, ExperimentConfig)


def load_section(path: str | Path | None, root: type[S]) -> S:
    """Returns what the YAML file `path` says of a configuration class.

    A section or key that is left out, or a section that is left empty, has its defaults.

    Args:
        path: the file, or `None` for the defaults.
        root: the class.

    Raises:
        UserError: if the file is missing or not YAML, or holds an unknown key or a wrong
            value; the message gives the key's path and what would be valid.
    """
    if path is None:
        return root()
    path = Path(path)
    return _parse(read_yaml(path), root, str(path))


def load_stored_config(path: Path) -> ExperimentConfig:
    """Returns a configuration that tfrec itself wrote, into a run, an export or a state folder.

    It may be of an earlier version: keys that were removed since are passed over.

    Args:
        path: the file.

    Raises:
        UserError: as `load_section` does; the message says what to do about a file of another
            version.
    """
    content = read_yaml(path)
    for removed in REMOVED:
        *sections, key = removed.split(".")
        place = content
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(key, None)
    try:
        return parse_config(content, str(path))
    except UserError as error:
        raise UserError(
            f"{error}; tfrec wrote this file, so it was another version of tfrec, or somebody "
            "changed it: use that version, or train or export again"
        ) from error


def parse_config(content: Any, source: str) -> ExperimentConfig:
    """Returns the configuration in what a YAML file held.

    Args:
        content: the sections, as plain values.
        source: where they come from, as errors name it.

    Raises:
        UserError: as `load_section` does.
    """
    return _parse(content, ExperimentConfig, source)


def change_config(
    config: ExperimentConfig, changes: Mapping[str, Any], source: str = "the changes"
) -> ExperimentConfig:
    """Returns `config` with some of its values replaced.

    Args:
        config: the configuration; it stays as it is.
        changes: new values by the paths of their keys, such as
            ``{"retrieval.training.epochs": 3}``. Of a section, ``{"retrieval.training": {"epochs":
            3}}``, the keys that are not given stay.
        source: where the changes come from, as errors name it.

    Raises:
        UserError: if a key is unknown or a value is wrong.
    """
    # Without what nobody set, so that the outcome, too, tells which sections somebody gave.
    content = config.model_dump(mode="json", exclude_unset=True)
    values = [one for path, value in changes.items() for one in _single(config, path, value)]
    for path, value in values:
        *sections, key = path.split(".")
        place = content
        for section in sections:
            inner = place.get(section)
            place[section] = place = inner if isinstance(inner, dict) else {}
        place[key] = value
    return parse_config(content, source)


def take_sections(
    kept: ExperimentConfig, given: ExperimentConfig, names: Collection[str]
) -> ExperimentConfig:
    """Returns `kept` with the sections that `given` was given in place of its own.

    Args:
        kept: the configuration; it stays as it is.
        given: another one. A section that it names is taken whole; what it does not name stays, and
            so does a salt that it does not name, without which no shopper would be known again.
        names: of the sections that may be taken.
    """
    taken = {name: getattr(given, name) for name in names if name in given.model_fields_set}
    if "data" in taken and "user_salt" not in given.data.model_fields_set:
        taken["data"] = given.data.model_copy(update={"user_salt": kept.data.user_salt})
    return kept.model_copy(update=taken)


def _single(section: Any, path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields the values of a change with the paths of their keys, section by section."""
    place = section
    for key in path.split("."):
        place = dict(place).get(key) if isinstance(place, BaseModel) else None
    if isinstance(place, BaseModel) and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _single(section, f"{path}.{key}", inner)
    else:
        yield path, value


def _parse(content: Any, root: type[S], source: str) -> S:
    if not isinstance(content, dict):
        example = next(iter(root.model_fields))
        raise UserError(
            f"{source} should hold keys such as `{example}:`; it holds a {type(content).__name__}"
        )
    content = _over_defaults(content, root())
    try:
        # Through JSON, because only there does strict mode take mappings for sections. Strict:
        # a quoted number or a `true` for a count is a slip, not a value.
        return root.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        raise UserError(f"{source}: {first_mistake(error, root)}") from error


def dump_config(config: BaseModel) -> str:
    """Returns `config` as YAML, every default included."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML that reads ``1e-3`` as a number, as YAML 1.2 does, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # not a key of ours; the base class says what is wrong with it
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key `{key.value}` is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> Any:
    """Returns what a YAML file holds, as plain values; an empty one holds no key.

    Raises:
        UserError: if the file is missing, cannot be read or is not YAML.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader
    except FileNotFoundError as error:
        raise UserError(f"there is no configuration file {path}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file in UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise UserError(f"{path} is not valid YAML: {place}{error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    return {} if content is None else content


def _over_defaults(content: dict[Any, Any], defaults: BaseModel) -> dict[Any, Any]:
    """Returns `content` with the defaults of every section that it gives in part, where it stands.

    `text_training.masked.training` and `ranking.training` are of one class with other defaults.
    """
    default_of = dict(defaults)
    kept = {}
    for key, value in content.items():
        if value is None and section_class(type(defaults), key):
            continue
        default = default_of.get(key)
        if isinstance(default, BaseModel) and isinstance(value, dict):
            own = default.model_dump(mode="json", exclude_unset=True)
            value = own | _over_defaults(value, default)
        kept[key] = value
    return kept
