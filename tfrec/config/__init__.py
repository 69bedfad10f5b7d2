"""Typed configuration of an experiment: one YAML file, one object a stage."""

from tfrec.config.data import CategoricalColumn, DataConfig
from tfrec.config.display import DisplayConfig, SurfaceConfig
from tfrec.config.experiment import EvaluationConfig, ExperimentConfig, ExportConfig
from tfrec.config.feedback import FeedbackConfig
from tfrec.config.loading import (
    change_config,
    dump_config,
    load_config,
    load_stored_config,
    parse_config,
    take_sections,
)
from tfrec.config.ranking import RankingConfig, RankingFeedbackConfig
from tfrec.config.retrieval import RetrievalConfig, TransferConfig
from tfrec.config.surfaces import HomeConfig, ShelfConfig, SurfacesConfig
from tfrec.config.text import (
    ContrastiveConfig,
    DistilConfig,
    MaskedConfig,
    TextConfig,
    TextTrainingConfig,
)
from tfrec.config.training import TrainingConfig
from tfrec.config.update import UpdateConfig

__all__ = [
    "CategoricalColumn",
    "ContrastiveConfig",
    "DataConfig",
    "DisplayConfig",
    "DistilConfig",
    "EvaluationConfig",
    "ExperimentConfig",
    "ExportConfig",
    "FeedbackConfig",
    "HomeConfig",
    "MaskedConfig",
    "RankingConfig",
    "RankingFeedbackConfig",
    "RetrievalConfig",
    "ShelfConfig",
    "SurfaceConfig",
    "SurfacesConfig",
    "TextConfig",
    "TextTrainingConfig",
    "TrainingConfig",
    "TransferConfig",
    "UpdateConfig",
    "change_config",
    "dump_config",
    "load_config",
    "load_stored_config",
    "parse_config",
    "take_sections",
]
