"""Alert rules: which figure, which limit, for how long, how grave."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.section import Section


class Rule(Section):
    """One rule; it watches every figure that its pattern matches, each by itself."""

    name: str = Field(pattern=r"^\S+$", description="short, unique, without blanks")
    metric: str = Field(min_length=1, description="tag of the figure; * stands for any text")
    above: float | None = Field(default=None, description="raises above this")
    below: float | None = Field(default=None, description="raises below this")
    recovers_at: float | None = Field(
        default=None,
        description="ends at this or better (hysteresis); null: at the limit itself",
    )
    for_minutes: float = Field(
        default=0.0, ge=0, description="raises, and ends, only after this long without a break"
    )
    severity: Literal["info", "warning", "critical"] = "warning"
    action: Literal["none", "roll_back"] = Field(
        default="none", description="what is done when it is raised, besides telling of it"
    )
    look: str = Field(default="", description="where to look, for whoever reads the alert")

    @model_validator(mode="after")
    def _one_limit(self) -> "Rule":
        if (self.above is None) == (self.below is None):
            raise ValueError(f"the rule {self.name} should have one of `above` and `below`")
        worse = self.recovers_at is not None and (
            self.recovers_at > self.above
            if self.above is not None
            else self.below is not None and self.recovers_at < self.below
        )
        if worse:
            raise ValueError(
                f"the rule {self.name} recovers at {self.recovers_at:g}, which is worse than its "
                "limit; choose a value on the good side of it"
            )
        return self

    @property
    def limit(self) -> float:
        """The value of `above` or `below`."""
        return self.above if self.above is not None else (self.below or 0.0)

    def breached_by(self, value: float) -> bool:
        """Whether a value is beyond the limit."""
        return value > self.limit if self.above is not None else value < self.limit

    def recovered_by(self, value: float) -> bool:
        """Whether a value is as good as the rule wants it before an alert ends."""
        if self.recovers_at is None:
            return not self.breached_by(value)
        return value <= self.recovers_at if self.above is not None else value >= self.recovers_at
