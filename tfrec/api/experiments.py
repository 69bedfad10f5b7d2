"""Configurations of experiments, from wherever they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfrec.config import ExperimentConfig, change_config, load_config, parse_config
from tfrec.data.sample import sample_names, sample_path

Source = str | Path | Mapping[str, Any] | ExperimentConfig | None


def configure(source: Source = None, changes: Mapping[str, Any] | None = None) -> ExperimentConfig:
    """Returns the configuration of an experiment.

    Args:
        source: a YAML file; the name of a shipped data set, for the experiment on it; sections as
            a mapping; a configuration; or None for the defaults.
        changes: values to replace by the paths of their keys, such as
            ``{"retrieval.training.epochs": 3}``.

    Raises:
        UserError: if the file is missing, a key is unknown or a value is wrong.

    Example:
        >>> configure("online_retail", {"seed": 7}).seed
        7
    """
    if isinstance(source, ExperimentConfig):
        config = source
    elif isinstance(source, Mapping):
        config = parse_config(dict(source), "the configuration")
    elif isinstance(source, str) and source in sample_names():
        config = load_config(sample_path(source) / "config.yaml")
    else:
        config = load_config(source)
    return change_config(config, changes) if changes else config
