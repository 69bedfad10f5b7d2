"""Typed configuration of an experiment: one YAML file, one object a stage."""

from tfrec.config.loading import change_config, dump_config, load_config, parse_config
from tfrec.config.schema import (
    CategoricalColumn,
    DataConfig,
    EvaluationConfig,
    ExperimentConfig,
    ExportConfig,
    RankingConfig,
    RetrievalConfig,
    TextConfig,
    TrainingConfig,
)

__all__ = [
    "CategoricalColumn",
    "DataConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "ExportConfig",
    "RankingConfig",
    "RetrievalConfig",
    "TextConfig",
    "TrainingConfig",
    "change_config",
    "dump_config",
    "load_config",
    "parse_config",
]
