"""What is read, and how it is checked, cleaned and split."""

from typing import Literal

from pydantic import Field, model_validator

from tfrec.config.section import Section


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
