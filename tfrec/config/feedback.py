"""How recorded lists become labels."""

from pydantic import Field, model_validator

from tfrec.config.section import Section


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
