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

    adapter: Literal["generic", "online_retail", "amazon_reviews", "movielens", "recbole"] = (
        "generic"
    )
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
    vector_columns: list[str] = Field(
        default=["image_embedding"],
        description="catalogue columns with a vector an item (pictures, sounds), where present",
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

    @model_validator(mode="after")
    def _vector_columns_hold_vectors(self) -> "DataConfig":
        taken = {*self.text_columns, *(column.column for column in self.categorical_columns)}
        taken |= {"item_id", "title", "price", "margin", "available", "launched_at"}
        for name in self.vector_columns:
            if name in taken:
                raise ValueError(
                    f"the column `{name}` cannot hold vectors and something else; take it out of "
                    "vector_columns, or out of text_columns and categorical_columns"
                )
        if len(set(self.vector_columns)) < len(self.vector_columns):
            raise ValueError("vector_columns should name every column once")
        return self


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
    negatives: Literal["full", "sampled", "in_batch"] = "full"
    sampled_negatives: int = Field(default=2048, ge=1)
    unsold_negatives: bool = Field(
        default=False, description="items that training never sold are negatives all the same"
    )
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


class PinnedProduct(Section):
    """A product that stands at a fixed place."""

    item_id: str
    place: int = Field(ge=1, description="from 1")


class PromotedProduct(Section):
    """A product that is shown rather than others."""

    item_id: str
    boost: float = Field(default=1.0, gt=0, description="factor of its value")
    within: int | None = Field(
        default=None, ge=1, description="last place at which it may stand; null: any, or none"
    )


class SurfaceConfig(Section):
    """What decides the order of the ranked items on one surface of the shop."""

    event_weights: dict[str, float] | None = Field(
        default=None, description="value of each target event; null: those of ranking"
    )
    return_penalty: float | None = Field(
        default=None, ge=0, le=1, description="share of value a return takes away; null: ranking's"
    )
    margin_power: float = Field(
        default=0.0, ge=0, description="power of the catalogue's margin in an item's value"
    )
    method: Literal["value", "mmr", "dpp"] = Field(
        default="value", description="how value and diversity are weighed; value: no diversity"
    )
    diversity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="weight of diversity against value; null: as much as cost no measurable NDCG, "
        "0.3 with mmr and 0.05 with dpp",
    )
    places: int = Field(default=20, ge=1, description="first places that these rules arrange")
    depth: int = Field(default=100, ge=2, description="best items that are arranged there")
    caps: dict[str, int] = Field(
        default={}, description="most items of one category there, by column, such as {brand: 3}"
    )
    pinned: list[PinnedProduct] = []
    promoted: list[PromotedProduct] = []
    exploration_share: float = Field(
        default=0.0, ge=0, lt=1, description="share of the places that chance fills"
    )

    @property
    def arranges(self) -> bool:
        """Whether anything but the ranking model's value decides."""
        values = (self.event_weights is not None, self.return_penalty is not None)
        rules = (self.margin_power, self.caps, self.pinned, self.promoted, self.exploration_share)
        return self.diversifies or any(values) or any(rules)

    @property
    def trade_off(self) -> float:
        """The weight of diversity, from 0 to 1."""
        if self.diversity is None or self.method == "value":
            return {"value": 0.0, "mmr": 0.3, "dpp": 0.05}[self.method]
        return self.diversity

    @property
    def diversifies(self) -> bool:
        """Whether diversity counts."""
        return self.trade_off > 0

    @model_validator(mode="after")
    def _rules_agree(self) -> "SurfaceConfig":
        if min(self.caps.values(), default=1) < 1:
            raise ValueError("caps should be positive integers by column, such as {brand: 3}")
        if self.places > self.depth:
            raise ValueError(
                f"places should be at most depth; {self.places} places cannot be filled from the "
                f"best {self.depth} items"
            )
        products = [rule.item_id for rule in self.pinned]
        products += [rule.item_id for rule in self.promoted]
        for product in products:
            if products.count(product) > 1:
                raise ValueError(f"{product} is pinned or promoted twice; name it once")
        places = [rule.place for rule in self.pinned]
        for rule in self.pinned:
            if rule.place > self.places:
                raise ValueError(
                    f"{rule.item_id} is pinned to place {rule.place}, but only the first "
                    f"{self.places} places are arranged; set places to {rule.place} at least"
                )
            if places.count(rule.place) > 1:
                raise ValueError(f"two products are pinned to place {rule.place}; move one")
        self._check_deadlines(places)
        return self

    def _check_deadlines(self, taken: list[int]) -> None:
        due = sorted(rule.within for rule in self.promoted if rule.within is not None)
        for count, within in enumerate(due, start=1):
            if within > self.places:
                raise ValueError(
                    f"a promoted product is due within {within} places, but only the first "
                    f"{self.places} places are arranged; set places to {within} at least"
                )
            free = within - sum(place <= within for place in taken)
            if count > free:
                raise ValueError(
                    f"{count} promoted products are due within the first {within} places, of which "
                    f"only {free} are not pinned; raise `within` of some"
                )


class DisplayConfig(SurfaceConfig):
    """The display order of the recommender's answer, and of further named surfaces."""

    surfaces: dict[str, SurfaceConfig] = Field(
        default={}, description="further orders, each a signature of the recommender by its name"
    )

    @model_validator(mode="after")
    def _names_are_signatures(self) -> "DisplayConfig":
        for name in self.surfaces:
            if not name.isidentifier() or not name.isascii() or name == "serving_default":
                raise ValueError(
                    f"the surface {name!r} cannot be the name of a signature; use letters, digits "
                    "and underscores"
                )
        return self


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


class UpdateConfig(Section):
    """How `tfrec update` learns from new events, and when it publishes what it learned."""

    gate_days: int = Field(
        default=7, ge=1, description="newest days, on which the new models are judged"
    )
    valid_days: int = Field(
        default=14, ge=1, description="days before these, on which the ranking model learns"
    )
    replay: float = Field(
        default=0.1, ge=0, le=1, description="share of shoppers without news that train as well"
    )
    epochs: int = Field(default=1, ge=1, description="retrieval: passes over news and replay")
    validation_shoppers: int = Field(
        default=500, ge=1, description="retrieval: shoppers that each pass is validated on"
    )
    ranking_epochs: int = Field(default=4, ge=1, description="ranking: passes over its lists")
    learning_rate_factor: float = Field(
        default=0.3, gt=0, le=1, description="share of the learning rate of the first training"
    )
    most_events: int = Field(
        default=5000,
        ge=1,
        description="events of one shopper in a batch; whoever has more is taken for a robot",
    )
    most_rejected: float = Field(
        default=0.5, ge=0, le=1, description="share of unusable rows from which a batch is refused"
    )
    gap_days: int = Field(
        default=60,
        ge=1,
        description="a few events this long after all others have a clock that runs wrong",
    )
    cutoff: int = Field(default=20, ge=1, description="length of the lists that are judged")
    least_cases: int = Field(
        default=30, ge=1, description="fewest shoppers that a figure is judged on"
    )
    most_loss: float = Field(
        default=0.01, ge=0, description="share of NDCG over all shoppers that may be lost"
    )
    most_loss_of_part: float = Field(
        default=0.1, ge=0, description="the same for new items and for new shoppers"
    )
    most_loss_of_coverage: float = Field(default=0.25, ge=0)
    most_calibration_error: float = Field(
        default=0.02, ge=0, description="by how much the calibration error may grow"
    )
    most_slower: float | None = Field(
        default=1.0, gt=0, description="by which share an answer may be slower; null: not judged"
    )
    keep_generations: int = Field(
        default=5, ge=1, description="updates whose data and runs are kept, to build them again"
    )


class ExperimentConfig(Section):
    """Everything that defines an experiment."""

    seed: int = Field(default=42, ge=0, lt=2**32, description="of everything random")
    data: DataConfig = DataConfig()
    text: TextConfig = TextConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    ranking: RankingConfig = RankingConfig()
    display: DisplayConfig = DisplayConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
    update: UpdateConfig = UpdateConfig()
