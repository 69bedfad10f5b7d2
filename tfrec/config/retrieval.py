"""The retrieval model, and what it takes over from another shop's."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tfrec.config.section import Section
from tfrec.config.training import TrainingConfig


class RetrievalConfig(Section):
    """The retrieval model: item tower, behaviour tower, loss."""

    dimension: int = Field(default=128, ge=4)
    max_history: int = Field(default=50, ge=1)
    lstm_units: int = Field(default=256, ge=4)
    lstm_layers: int = Field(default=1, ge=1)
    lstm_layer_norm: bool = Field(
        default=False, description="layer normalisation of what each LSTM reads"
    )
    lstm_first_residual: bool = Field(
        default=False,
        description="residual connection around the first LSTM, too; needs lstm_units = dimension",
    )
    state_attention: int = Field(
        default=0,
        ge=0,
        description="heads of attention over the LSTM's states up to each one; 0: none",
    )
    time_gaps: bool = Field(
        default=True, description="the LSTM reads how long after the one before an event came"
    )
    event_features: bool = Field(
        default=True, description="the LSTM reads of which type an event is"
    )
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
    cold_start: bool = Field(
        default=False,
        description="the fewer sales an item has, the more its nearness to the history counts; "
        "fitted on validation, where other items are pretended to be new",
    )
    new_item_price: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="share of the other items' NDCG on validation that cold_start may pay to show "
        "more new ones",
    )
    id_dropout: float = Field(default=0.1, ge=0, lt=1)
    event_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the events of a training history that are predicted, but not read",
    )
    event_reorder: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of a training history, in a row, whose items are put in any order",
    )
    text_fusion: Literal["sum", "text", "id", "id_from_text", "concatenate", "gate"] = Field(
        default="sum", description="how an item's text and its id become one vector"
    )
    content_only: bool = Field(
        default=False,
        description="items are known by text, price and vectors alone, without ids and "
        "categories: what another shop can start from",
    )
    vector_dropout: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="share of the vectors of data.vector_columns that training leaves out",
    )
    stand_ins: bool = Field(
        default=True,
        description="what an item without a trained id lacks is guessed from items described alike",
    )
    temperature: float = Field(default=0.07, gt=0)
    learned_temperature: bool = Field(
        default=False, description="train the temperature along; it starts at `temperature`"
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of each example's probability that is spread over all items",
    )
    event_weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={},
        description="weight of a target event in the loss, by its type; 1 where not given",
    )
    negatives: Literal["full", "sampled", "in_batch"] = Field(
        default="full",
        description="all items, those of the batch with uniform draws, or those of the batch",
    )
    sampled_negatives: int = Field(
        default=2048, ge=1, description="uniform draws a step, with `negatives: sampled`"
    )
    cross_batch_memory: int = Field(
        default=0,
        ge=0,
        description="item vectors of the last steps' targets that are negatives, too; 0: none",
    )
    hard_negatives: int = Field(
        default=0,
        ge=0,
        description="nearest items of the whole catalogue that each query has as negatives of its "
        "own; 0: none",
    )
    unsold_negatives: bool = Field(
        default=False, description="items that training never sold are negatives all the same"
    )
    logq_correction: Literal["none", "all", "negatives"] = Field(
        default="all",
        description="logits of a sampled softmax that are corrected for how often items are drawn; "
        "`negatives`: the true item, which is not drawn, stays as it is",
    )
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
    def _first_residual_needs_equal_widths(self) -> "RetrievalConfig":
        if self.lstm_first_residual and self.lstm_units != self.dimension:
            raise ValueError(
                f"lstm_first_residual needs lstm_units ({self.lstm_units}) to be equal to "
                f"dimension ({self.dimension}); set them alike, or leave it out"
            )
        return self

    @field_validator("logq_correction", mode="before")
    @classmethod
    def _logq_correction_was_a_switch(cls, value: Any) -> Any:
        return {True: "all", False: "none"}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _negatives_beside_all_items(self) -> "RetrievalConfig":
        given = {
            "cross_batch_memory": self.cross_batch_memory > 0,
            "hard_negatives": self.hard_negatives > 0,
            "logq_correction: negatives": self.logq_correction == "negatives",
        }
        for name in (name for name, on in given.items() if on and self.negatives == "full"):
            raise ValueError(
                f"{name} does nothing with `negatives: full`, where every item is a negative; "
                "set negatives to sampled or in_batch, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _content_reaches_the_vectors(self) -> "RetrievalConfig":
        if self.content_only and self.text_fusion in ("id", "id_from_text"):
            raise ValueError(
                f"text_fusion: {self.text_fusion} puts ids in the place of texts, and content_only "
                "leaves ids out; set one or the other"
            )
        return self

    @model_validator(mode="after")
    def _heads_share_a_state_evenly(self) -> "RetrievalConfig":
        if self.state_attention and self.lstm_units % self.state_attention:
            raise ValueError(
                f"state_attention ({self.state_attention}) should divide lstm_units "
                f"({self.lstm_units}), as its heads share a state evenly"
            )
        return self

    @model_validator(mode="after")
    def _a_batch_is_remembered_once(self) -> "RetrievalConfig":
        if self.cross_batch_memory and self.training.adversarial != "none":
            raise ValueError(
                "cross_batch_memory remembers each batch once, and training.adversarial takes it "
                "twice; set one or the other"
            )
        return self

    @model_validator(mode="after")
    def _repeat_bonus_needs_all_items(self) -> "RetrievalConfig":
        if self.repeat_bonus and self.negatives != "full":
            raise ValueError(
                "repeat_bonus is trained with `negatives: full` only; set one or the other"
            )
        return self


class TransferConfig(Section):
    """How `tfrec train retrieval --from` takes over what another shop's model has learned."""

    text_trust: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of what it learned of texts, prices and vectors; null: fitted on "
        "validation",
    )
    lstm_trust: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of its LSTM's part beside moving averages, 1 without these; null: "
        "fitted on validation",
    )
