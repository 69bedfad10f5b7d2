"""The configuration classes, one a stage, with their defaults."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the configuration: immutable, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CategoricalColumn(Section):
    """An item column whose values are categories, one or many an item."""

    column: str = Field(description="name of the column in the catalogue")
    separator: str | None = Field(
        default=None, description="splits one string into many values; null: one value an item"
    )


class DataConfig(Section):
    """How raw events and a catalogue become a prepared data set (`tfrec data prepare`)."""

    adapter: Literal["generic", "online_retail", "amazon_reviews", "movielens"] = "generic"
    timestamp_unit: Literal["auto", "datetime", "seconds", "milliseconds"] = "auto"
    timestamp_format: str | None = Field(
        default=None, description="strptime format of textual timestamps; null: found out"
    )
    event_types: list[str] | None = Field(
        default=None, description="accepted event names, in vocabulary order; null: all in the log"
    )
    target_events: list[str] | None = Field(
        default=None,
        description="event types that count as a hit; null: every type but returns",
    )
    return_event: str = Field(default="return", description="event type that undoes a purchase")
    purchase_event: str = Field(default="purchase", description="event type a return must follow")
    context_columns: list[str] = Field(default=[], description="event columns known when asking")
    categorical_columns: list[CategoricalColumn] = Field(
        default=[
            CategoricalColumn(column="brand"),
            CategoricalColumn(column="categories", separator=","),
        ],
        description="catalogue columns read as categories, where present",
    )
    text_columns: list[str] = Field(
        default=["title", "brand", "categories", "description"],
        description="catalogue columns that make an item's text, in order, where present",
    )
    unknown_items: Literal["reject", "keep"] = Field(
        default="reject", description="events whose item is not in the catalogue"
    )
    missing_titles: Literal["keep", "reject"] = Field(
        default="keep", description="catalogue rows without a title"
    )
    duplicates: Literal["reject", "keep"] = Field(
        default="reject", description="events equal in every column to an earlier one"
    )
    min_user_events: int = Field(default=1, ge=1, description="k-core: fewest events a user")
    min_item_events: int = Field(default=1, ge=1, description="k-core: fewest events an item")
    split: Literal["temporal", "leave_one_out"] = "temporal"
    valid_days: int = Field(default=30, ge=1, description="length of the validation period")
    test_days: int = Field(default=30, ge=1, description="length of the test period")
    user_salt: str = Field(default="tfrec", description="salt of the user id hash; keep it secret")
    shards: int = Field(default=4, ge=1, description="TFRecord files a split")


class TextConfig(Section):
    """The BERT that reads item texts, and how it is trained."""

    bert: str | None = Field(
        default=None,
        description="folder with a BERT in Hugging Face layout; null: the MiniLM weights package",
    )
    policy: Literal["frozen", "top-n", "full"] = "frozen"
    top_n: int = Field(default=2, ge=1, description="encoder layers trained by policy top-n")
    max_tokens: int = Field(default=128, ge=8, le=512)
    cache_dir: str | None = Field(
        default=None, description="folder of cached text vectors; null: inside the data set"
    )


class TrainingConfig(Section):
    """The training loop that both models share."""

    epochs: int = Field(default=30, ge=1)
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
    patience: int = Field(default=3, ge=1, description="epochs without a better validation NDCG")
    mixed_precision: bool = False
    max_minutes: float | None = Field(default=None, gt=0, description="stop training after this")
    tensorboard: bool = Field(
        default=True, description="write curves, lists and pictures of the training for TensorBoard"
    )


class RetrievalConfig(Section):
    """The retrieval model: item tower, behaviour tower, loss."""

    dimension: int = Field(default=128, ge=4)
    max_history: int = Field(default=50, ge=1)
    lstm_units: int = Field(default=256, ge=4)
    lstm_layers: int = Field(default=1, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    history_averages: list[float] = Field(
        default=[], description="decay factors of moving averages beside the LSTM"
    )
    repeat_bonus: bool = Field(
        default=False, description="learn how much more likely an item had before is, by its age"
    )
    memory_neighbours: int = Field(
        default=0,
        ge=0,
        description="co-occurrence neighbours an item, added to the trained scores; 0: none",
    )
    trend_days: list[int] = Field(
        default=[],
        description="windows of recent sales, in days, that join the trained scores; []: none",
    )
    id_dropout: float = Field(default=0.1, ge=0, lt=1)
    temperature: float = Field(default=0.07, gt=0)
    negatives: Literal["full", "sampled", "in_batch"] = "full"
    sampled_negatives: int = Field(default=2048, ge=1)
    logq_correction: bool = True
    target: Literal["next_event", "next_basket"] = "next_event"
    basket_discount: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="0: every event counts alike; 1: every basket does, whatever its size",
    )
    shuffle_baskets: bool = Field(
        default=False, description="events at one moment are in no order: shuffle them each epoch"
    )
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _trend_days_are_positive(self) -> "RetrievalConfig":
        if min(self.trend_days, default=1) < 1:
            raise ValueError("trend_days should be a list of positive integers, such as [7, 30]")
        return self

    @model_validator(mode="after")
    def _repeat_bonus_needs_all_items(self) -> "RetrievalConfig":
        if self.repeat_bonus and self.negatives != "full":
            raise ValueError(
                "repeat_bonus is trained with `negatives: full` only; set one or the other"
            )
        return self


class RankingConfig(Section):
    """The ranking model: features, cross network, tasks."""

    candidates: int = Field(default=100, ge=2, description="retrieved candidates a shopper")
    popularity_negatives: int = Field(default=20, ge=0)
    max_shoppers: int = Field(
        default=25_000,
        ge=2,
        description="validation shoppers drawn for training and holdout; their candidates are "
        "held in memory, some 40 kB a shopper",
    )
    cross_layers: int = Field(default=2, ge=0)
    hidden_units: list[int] = [64, 32]
    dropout: float = Field(default=0.1, ge=0, lt=1)
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
    training: TrainingConfig = TrainingConfig(epochs=20)


class EvaluationConfig(Section):
    """What `tfrec evaluate` measures."""

    cutoffs: list[int] = [5, 10, 20, 100]
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
    retrieval: RetrievalConfig = RetrievalConfig()
    ranking: RankingConfig = RankingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
