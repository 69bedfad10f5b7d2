"""The order in which ranked items are shown."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.section import Section


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
    pinned: list[PinnedProduct] = Field(default=[])
    promoted: list[PromotedProduct] = Field(default=[])
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
        if self.diversity and self.method == "value":
            raise ValueError(
                "diversity does nothing with `method: value`; set method to mmr or dpp, or leave "
                "it out"
            )
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
