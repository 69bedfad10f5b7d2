"""What the trainings of both models have in common."""

from typing import Literal

from pydantic import Field

from tfrec.config.section import Section


class TrainingConfig(Section):
    """The training loop that both models share."""

    epochs: int = Field(default=30, ge=0, description="0: no training, after --from")
    batch_positions: int = Field(
        default=2048, ge=1, description="retrieval: positions a step, padding included"
    )
    batch_lists: int = Field(default=128, ge=1, description="ranking: candidate lists a step")
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    average_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay of the moving average of weights that is kept; 0: no average",
    )
    adversarial: Literal["none", "fgm", "awp"] = Field(
        default="none",
        description="fgm: also train on embeddings that are moved against the model (ids, "
        "categories, contexts, events, time gaps, tokens); awp: on weights that are",
    )
    adversarial_epsilon: float = Field(
        default=0.05,
        gt=0,
        description="fgm: how far each embedding is moved, where item vectors have length 1; awp: "
        "the same of each weight matrix, as a share of its norm",
    )
    adversarial_start: int = Field(
        default=1, ge=0, description="epochs before the first that is adversarial"
    )
    patience: int = Field(
        default=3, ge=1, description="epochs after the best trained one, by validation NDCG"
    )
    mixed_precision: bool = False
    max_minutes: float | None = Field(default=None, gt=0, description="stop training after this")
    tensorboard: bool = Field(
        default=True, description="write curves, lists and pictures of the training for TensorBoard"
    )
