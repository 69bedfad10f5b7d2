"""Everything that defines an experiment."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.data import DataConfig
from tfrec.config.display import DisplayConfig
from tfrec.config.feedback import FeedbackConfig
from tfrec.config.ranking import RankingConfig
from tfrec.config.retrieval import RetrievalConfig, TransferConfig
from tfrec.config.section import Section
from tfrec.config.surfaces import SurfacesConfig
from tfrec.config.text import TextConfig, TextTrainingConfig
from tfrec.config.update import UpdateConfig


class EvaluationConfig(Section):
    """What `tfrec evaluate` measures."""

    cutoffs: list[int] = Field(default=[5, 10, 20, 100])
    repeats: Literal["count", "exclude"] = Field(
        default="exclude",
        description="items a shopper already had: count them as hits, or mask and drop them",
    )
    bootstrap_samples: int = Field(default=1000, ge=1)
    new_item_events: int = Field(default=0, ge=0, description="an item is new up to this many")

    @model_validator(mode="after")
    def _cutoffs_are_positive(self) -> "EvaluationConfig":
        if not self.cutoffs or min(self.cutoffs) < 1:
            raise ValueError("cutoffs should be a list of positive integers, such as [5, 10, 20]")
        return self


class ExportConfig(Section):
    """What `tfrec export` writes."""

    k: int = Field(default=100, ge=1, description="items that each answer carries")
    item_vectors: Literal["float32", "bfloat16", "int8"] = Field(
        default="float32",
        description="how the item vectors are kept, in 4, 2 or 1 bytes a number",
    )
    warmup_records: int = Field(default=8, ge=0, le=1000)
    keep_versions: int = Field(default=5, ge=1, description="older versions are removed")
    reference_days: int = Field(
        default=182, ge=1, description="last part of the log that live traffic is compared with"
    )


class ExperimentConfig(Section):
    """Everything that defines an experiment."""

    seed: int = Field(default=42, ge=0, lt=2**32, description="of everything random")
    data: DataConfig = DataConfig()
    text: TextConfig = TextConfig()
    text_training: TextTrainingConfig = TextTrainingConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    transfer: TransferConfig = TransferConfig()
    ranking: RankingConfig = RankingConfig()
    display: DisplayConfig = DisplayConfig()
    surfaces: SurfacesConfig = SurfacesConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
    update: UpdateConfig = UpdateConfig()
    feedback: FeedbackConfig = FeedbackConfig()
