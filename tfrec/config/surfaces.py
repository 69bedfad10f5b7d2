"""The surfaces of a shop beside the recommender's list."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.section import Section


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

    shelves: list[ShelfConfig] = Field(
        default=[
            ShelfConfig(kind="for_you"),
            ShelfConfig(kind="because_of"),
            ShelfConfig(kind="buy_again"),
            ShelfConfig(kind="trending"),
            ShelfConfig(kind="new_for_you"),
        ]
    )
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
