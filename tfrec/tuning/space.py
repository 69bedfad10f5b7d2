"""The space of settings that a tuning searches, as a YAML file says it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tfrec.config import ExperimentConfig, change_config
from tfrec.config.flat import flat
from tfrec.config.loading import read_yaml
from tfrec.errors import UserError

KEYS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class SearchSpace:
    """Which settings may be varied, and how far.

    Attributes:
        distributions: by the path of the setting's key, such as ``retrieval.dropout``. Choices
            are JSON texts, as a choice may be a list.
    """

    distributions: dict[str, BaseDistribution]

    @classmethod
    def read(cls, path: Path, config: ExperimentConfig) -> "SearchSpace":
        """Reads a space and checks that all its ends and choices are settings.

        A key is the path of a setting. Its value is a list of choices, or a range: ``low`` and
        ``high`` (both whole for a whole number), and ``log: true`` or a ``step``.

        Args:
            path: a YAML file.
            config: the experiment to which the settings belong.

        Raises:
            UserError: if the file is missing or not YAML, a key is no setting, or a value cannot
                be one.
        """
        content = read_yaml(path)
        if not isinstance(content, dict) or not content:
            raise UserError(
                f"{path} should hold settings to vary, such as "
                "`retrieval.dropout: {low: 0.1, high: 0.5}`"
            )
        distributions: dict[str, BaseDistribution] = {}
        for key, value in _by_path(content):
            if key in distributions:
                raise UserError(f"{path}: `{key}` is given twice; give it once")
            distributions[key] = _distribution(value, f"{path}: `{key}`")
            for tried in _extremes(distributions[key]):
                change_config(config, {key: tried}, str(path))
        return cls(distributions)

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of a trial's parameters: its choices are texts."""
        return {
            key: json.loads(value)
            if isinstance(self.distributions[key], CategoricalDistribution)
            else value
            for key, value in parameters.items()
        }

    def parameters(self, config: ExperimentConfig) -> dict[str, Any]:
        """Returns what a configuration holds, as parameters of a trial, as far as it can be one."""
        values = flat(config.model_dump(mode="json"))
        found = {}
        for key, distribution in self.distributions.items():
            value = values.get(key)
            if isinstance(distribution, CategoricalDistribution):
                value = json.dumps(value)
                fits = value in distribution.choices
            else:
                assert isinstance(distribution, FloatDistribution | IntDistribution)
                fits = _lies_in(value, distribution)
            if fits:
                found[key] = value
        return found

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Returns the settings that a trial should try."""
        parameters: dict[str, Any] = {}
        for key, one in self.distributions.items():
            if isinstance(one, CategoricalDistribution):
                parameters[key] = trial.suggest_categorical(key, one.choices)
            elif isinstance(one, IntDistribution):
                parameters[key] = trial.suggest_int(
                    key, one.low, one.high, step=one.step, log=one.log
                )
            else:
                assert isinstance(one, FloatDistribution)
                parameters[key] = trial.suggest_float(
                    key, one.low, one.high, step=one.step, log=one.log
                )
        return self.settings(parameters)

    def to_json(self) -> dict[str, Any]:
        """Returns the space as plain values, to tell two spaces apart."""
        return {key: str(one) for key, one in self.distributions.items()}


def _by_path(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields choices and ranges with the paths of their keys; sections may be nested or dotted."""
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and not set(value) & set(KEYS):
            yield from _by_path(value, f"{path}.")
        else:
            yield path, value


def _lies_in(value: Any, distribution: FloatDistribution | IntDistribution) -> bool:
    """Whether a trial can take a value just as it is."""
    whole = isinstance(distribution, IntDistribution)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    if not distribution.low <= value <= distribution.high:
        return False
    steps = 0.0 if distribution.step is None else (value - distribution.low) / distribution.step
    return math.isclose(steps, round(steps), abs_tol=1e-9)


def _distribution(value: Any, where: str) -> BaseDistribution:
    if isinstance(value, list):
        choices = list(dict.fromkeys(json.dumps(choice) for choice in value))
        if len(choices) < 2:
            raise UserError(f"{where} should have two choices or more. Received: {value}")
        return CategoricalDistribution(choices)
    if not isinstance(value, Mapping):
        raise UserError(
            f"{where} should be a list of choices, or a range such as {{low: 1, high: 4}}. "
            f"Received: {value!r}"
        )
    unknown = set(value) - set(KEYS)
    if unknown:
        raise UserError(f"{where} has the key `{min(unknown)}`; a range has {', '.join(KEYS)}")
    low, high = (_number(value.get(name), f"{where}: `{name}`") for name in ("low", "high"))
    if not low < high:
        raise UserError(f"{where}: `low` should be below `high`. Received: {low} and {high}")
    log = value.get("log", False)
    if not isinstance(log, bool):
        raise UserError(f"{where}: `log` should be true or false. Received: {log!r}")
    step = None if value.get("step") is None else _number(value["step"], f"{where}: `step`")
    if log and (low <= 0 or step is not None):
        raise UserError(f"{where}: with `log: true`, `low` should be above 0, without a `step`")
    if step is not None and step <= 0:
        raise UserError(f"{where}: `step` should be above 0. Received: {step}")
    if isinstance(low, float) or isinstance(high, float) or isinstance(step, float):
        return FloatDistribution(float(low), float(high), log=log, step=step)
    return IntDistribution(low, high, log=log, step=step or 1)


def _number(value: Any, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{where} should be a number. Received: {value!r}")
    return value


def _extremes(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return [json.loads(str(choice)) for choice in distribution.choices]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return [distribution.low, distribution.high]
