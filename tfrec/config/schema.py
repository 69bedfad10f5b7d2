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
    policy: Literal["frozen", "top-n", "lora", "adapter", "full"] = "frozen"
    top_n: int = Field(
        default=2, ge=1, description="last encoder layers that top-n, lora and adapter train"
    )
    lora_rank: int = Field(default=8, ge=1, description="rank of the updates of policy lora")
    adapter_units: int = Field(default=32, ge=1, description="width of policy adapter's layers")
    learning_rate: float | None = Field(
        default=None, gt=0, description="of the BERT; null: that of the model it is trained in"
    )
    texts_per_step: int = Field(
        default=128,
        ge=0,
        description="most texts a step encodes with gradients, drawn from its items'; 0: all",
    )
    refresh_steps: int = Field(
        default=0, ge=0, description="steps between refreshes of all text vectors; 0: validation's"
    )
    cache_activations: Literal["disk", "memory", "off"] = Field(
        default="disk", description="where outputs of the layers below the trained ones are kept"
    )
    token_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of tokens hidden where the BERT is trained"
    )
    word_swap: float = Field(
        default=0.0, ge=0, lt=1, description="share of words swapped with their neighbours there"
    )
    max_tokens: int = Field(default=128, ge=8, le=512)
    cache_dir: str | None = Field(
        default=None, description="folder of cached text vectors; null: inside the data set"
    )


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
    patience: int = Field(default=3, ge=1, description="epochs without a better validation NDCG")
    mixed_precision: bool = False
    max_minutes: float | None = Field(default=None, gt=0, description="stop training after this")
    tensorboard: bool = Field(
        default=True, description="write curves, lists and pictures of the training for TensorBoard"
    )


class MaskedConfig(Section):
    """Masked-language-model pre-training of the BERT on the shop's own texts."""

    share: float = Field(default=0.15, gt=0, lt=1, description="share of tokens to be guessed")
    batch_texts: int = Field(default=64, ge=1)
    head_learning_rate: float = Field(
        default=1e-3, gt=0, description="of the head that guesses, which starts untrained"
    )
    training: TrainingConfig = TrainingConfig(epochs=10, learning_rate=5e-5, patience=2)


class ContrastiveConfig(Section):
    """Contrastive fine-tuning of the BERT on items that the same shoppers bought."""

    policy: Literal["top-n", "lora", "full"] = "top-n"
    window: int = Field(
        default=3, ge=1, description="events between two items of a pair, the second one counted"
    )
    batch_pairs: int = Field(default=128, ge=2)
    pairs_per_epoch: int = Field(default=20_000, ge=1, description="drawn anew for every epoch")
    temperature: float = Field(default=0.05, gt=0)
    training: TrainingConfig = TrainingConfig(epochs=10, learning_rate=1e-4, patience=2)


class DistilConfig(Section):
    """Distillation of the BERT into a small one."""

    layers: int = Field(default=2, ge=1)
    width: int = Field(default=128, ge=4)
    heads: int = Field(default=4, ge=1)
    fragments: int = Field(
        default=4, ge=0, description="pieces of each text that the small BERT learns as well"
    )
    batch_texts: int = Field(default=128, ge=2)
    training: TrainingConfig = TrainingConfig(epochs=60, learning_rate=1e-3, patience=6)

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> "DistilConfig":
        if self.width % self.heads:
            raise ValueError(
                f"width should be a multiple of heads; {self.width} is not one of {self.heads}"
            )
        return self


class TextTrainingConfig(Section):
    """What `tfrec train text` does to the BERT before the models are trained."""

    steps: list[Literal["masked", "contrastive", "distil"]] = Field(
        default=["masked", "contrastive"],
        description="in this order, each from what the one before it left",
    )
    holdout: float = Field(
        default=0.1, gt=0, lt=1, description="share of texts, or shoppers, that decide when to stop"
    )
    masked: MaskedConfig = MaskedConfig()
    contrastive: ContrastiveConfig = ContrastiveConfig()
    distil: DistilConfig = DistilConfig()

    @model_validator(mode="after")
    def _every_step_once(self) -> "TextTrainingConfig":
        if not self.steps or len(set(self.steps)) < len(self.steps):
            raise ValueError("steps should be a list of different steps, such as [masked]")
        return self


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
        description="share of its LSTM's part beside moving averages; null: fitted on validation",
    )


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
    feedback: RankingFeedbackConfig = RankingFeedbackConfig()
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


OTHER_SIGNATURES = ("serving_default", "home_page")
"""Signatures of the recommender that no surface can have the name of."""


class DisplayConfig(SurfaceConfig):
    """The display order of the recommender's answer, and of further named surfaces."""

    surfaces: dict[str, SurfaceConfig] = Field(
        default={}, description="further orders, each a signature of the recommender by its name"
    )

    @model_validator(mode="after")
    def _names_are_signatures(self) -> "DisplayConfig":
        for name in self.surfaces:
            if not name.isidentifier() or not name.isascii() or name in OTHER_SIGNATURES:
                raise ValueError(
                    f"the surface {name!r} cannot be the name of a signature; use letters, digits "
                    "and underscores"
                )
        return self


class ShelfConfig(Section):
    """One shelf of a page."""

    kind: Literal[
        "for_you", "because_of", "new_for_you", "trending", "buy_again", "other_categories"
    ]
    products: int = Field(default=10, ge=1, description="most products on it")
    minimum: int = Field(default=4, ge=1, description="with fewer of its own it is short")
    when_short: Literal["fill", "leave_out"] = Field(
        default="fill",
        description="fill it up to the minimum with what else is for the shopper, or leave it out; "
        "with nothing of its own it is always left out",
    )


class HomeConfig(Section):
    """The home page: which shelves, from the top."""

    shelves: list[ShelfConfig] = [
        ShelfConfig(kind="for_you"),
        ShelfConfig(kind="because_of"),
        ShelfConfig(kind="buy_again"),
        ShelfConfig(kind="trending"),
        ShelfConfig(kind="new_for_you"),
    ]
    new_days: int = Field(default=60, ge=1, description="for so long a product is new")

    @model_validator(mode="after")
    def _shelves_differ(self) -> "HomeConfig":
        kinds = [shelf.kind for shelf in self.shelves]
        if not kinds:
            raise ValueError("home.shelves should have one shelf at least")
        for kind in kinds:
            if kinds.count(kind) > 1:
                raise ValueError(f"home.shelves has two shelves {kind}; leave one out")
        return self


class SurfacesConfig(Section):
    """What `tfrec train surfaces` fits, and the pages made of it."""

    group_column: str | None = Field(
        default=None,
        description="categorical column that says what kind a product is; null: `categories` where "
        "the catalogue fills it, else groups learned from texts",
    )
    learned_groups: int = Field(default=80, ge=2, description="how many kinds are learned")
    opening: bool = Field(
        default=True,
        description="a shopper without a history is shown popular products of many kinds",
    )
    home: HomeConfig = HomeConfig()


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
    train_days: float = Field(
        default=28,
        ge=0,
        description="the weights are trained on once so many days of events wait for it; updates "
        "in between count sales and what is bought together anew; 0: with every update",
    )
    replay: float = Field(
        default=0.1, ge=0, le=1, description="share of shoppers without news that train as well"
    )
    epochs: int = Field(default=1, ge=1, description="retrieval: passes over news and replay")
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
    least_new_items: int = Field(
        default=10, ge=1, description="the same of new items, each with all its buyers"
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


class FeedbackConfig(Section):
    """How the event log becomes training examples and off-policy estimates."""

    window_days: float = Field(
        default=7.0, gt=0, description="how long after a list an event may belong to it"
    )
    places: int = Field(
        default=20,
        ge=1,
        description="first places that count as shown where the shop records no impressions",
    )
    events: list[str] = Field(
        default=["click", "cart", "purchase"],
        description="events that become labels; the first one tells where shoppers look",
    )
    falling: bool = Field(
        default=True, description="no place is looked at more often than one before it"
    )
    most_actions_an_hour: int = Field(
        default=300, ge=1, description="whoever asks and acts more often is taken for a robot"
    )
    most_clicked: float = Field(
        default=0.8, gt=0, le=1, description="so is who clicks on such a share of what is shown"
    )
    least_shown: int = Field(
        default=50, ge=1, description="items shown to a shopper from which that share is judged"
    )
    least_irregular: float = Field(
        default=0.05,
        ge=0,
        description="so is whose pauses vary by a smaller share of their median; 0: not judged",
    )
    least_pauses: int = Field(
        default=30, ge=2, description="pauses of a shopper from which their regularity is judged"
    )

    @model_validator(mode="after")
    def _there_are_labels(self) -> "FeedbackConfig":
        if not self.events or len(set(self.events)) < len(self.events):
            raise ValueError("events should be a list of different names, such as [click, cart]")
        return self


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
