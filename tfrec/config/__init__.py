"""Typed configuration of an experiment: one YAML file, one object a stage."""

from tfrec.config.loading import change_config, dump_config, load_config, parse_config
from tfrec.config.schema import (
    CategoricalColumn,
    DataConfig,
    DisplayConfig,
    EvaluationConfig,
    ExperimentConfig,
    ExportConfig,
    RankingConfig,
    RetrievalConfig,
    SurfaceConfig,
    TextConfig,
    TrainingConfig,
    UpdateConfig,
)

__all__ = [
    "CategoricalColumn",
    "DataConfig",
    "DisplayConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "ExportConfig",
    "RankingConfig",
    "RetrievalConfig",
    "SurfaceConfig",
    "TextConfig",
    "TrainingConfig",
    "UpdateConfig",
    "change_config",
    "dump_config",
    "load_config",
    "parse_config",
]
