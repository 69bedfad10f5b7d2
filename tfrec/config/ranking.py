"""The ranking model."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.section import Section
from tfrec.config.training import TrainingConfig


class RankingFeedbackConfig(Section):
    """How the ranking model learns from examples of `tfrec feedback labels`."""

    examples: str | None = Field(
        default=None, description="folder of the examples; null: none are used"
    )
    mode: Literal["beside", "instead"] = Field(
        default="beside", description="beside the ranking model's own candidates, or instead"
    )
    labels: dict[str, list[str]] = Field(
        default={},
        description="labels of the examples that count for each target event, such as "
        "{purchase: [click, purchase]}; by default that of the same name",
    )
    position_bias: bool = Field(
        default=True, description="weigh by how often each place is looked at"
    )
    most_weight: float = Field(
        default=10.0, ge=1, description="largest inverse propensity; larger ones are clipped"
    )


class RankingConfig(Section):
    """The ranking model: features, cross network, tasks."""

    candidates: int = Field(default=100, ge=2, description="retrieved candidates a shopper")
    popularity_negatives: int = Field(default=20, ge=0)
    max_shoppers: int = Field(
        default=25_000,
        ge=2,
        description="validation shoppers drawn for training and holdout; their candidates are "
        "held in memory, some 20 kB a list, up to four lists a shopper",
    )
    cross_layers: int = Field(default=2, ge=0)
    hidden_units: list[int] = Field(default=[64, 32])
    experts: int = Field(
        default=0,
        ge=0,
        description="networks of hidden_units that all events share, in a mixture for each event; "
        "0: one network without mixtures",
    )
    dropout: float = Field(default=0.1, ge=0, lt=1)
    arrivals: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="share of the training shoppers who are also learned from as if they had come "
        "in the validation period, if they chose more in it than the 1 to 5 drawn as their history",
    )
    new_item_price: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="share of the other items' NDCG that may be paid to show more new ones; fitted "
        "on held-out shoppers, to whom other items are pretended to be new",
    )
    neighbours: int = Field(default=100, ge=1, description="co-occurrence neighbours an item")
    max_history: int = Field(default=500, ge=1, description="events that the features read")
    repeats: Literal["both", "count", "exclude"] = Field(
        default="both", description="train on lists with items the shopper had, without, or both"
    )
    event_weights: dict[str, float] = Field(
        default={}, description="value of each target event in the final score; 1 where not given"
    )
    event_loss: float = Field(
        default=1.0,
        ge=0,
        description="weight of the single candidates' losses beside those of whole lists",
    )
    return_penalty: float = Field(
        default=1.0, ge=0, le=1, description="share of a product's value that a return takes away"
    )
    holdout: float = Field(
        default=0.2, gt=0, lt=1, description="share of validation shoppers kept from training"
    )
    feedback: RankingFeedbackConfig = RankingFeedbackConfig()
    training: TrainingConfig = TrainingConfig(epochs=20)

    @model_validator(mode="after")
    def _moved_weights_are_there(self) -> "RankingConfig":
        if self.training.adversarial == "fgm":
            raise ValueError(
                "training.adversarial: fgm moves embeddings, of which the ranking model has none; "
                "set it to awp or none"
            )
        return self

    @model_validator(mode="after")
    def _experts_have_layers(self) -> "RankingConfig":
        if self.experts and not self.hidden_units:
            raise ValueError(
                "experts are made of hidden_units, which are empty; set them, or experts: 0"
            )
        return self
