"""How a recommender in service learns from new events."""

from pydantic import Field

from tfrec.config.section import Section


class UpdateConfig(Section):
    """How `tfrec update` learns from new events, and when it publishes what it learned."""

    gate_days: int = Field(
        default=7, ge=1, description="newest days, on which the new models are judged"
    )
    valid_days: int = Field(
        default=14, ge=1, description="days before these, on which the ranking model learns"
    )
    train_days: int = Field(
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
