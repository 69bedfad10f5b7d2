"""What a recommender is asked: a shopper's history in whatever form it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pandas as pd

from tfrec.api.shoppers import Shopper
from tfrec.errors import UserError

HistoryLike: TypeAlias = "Sequence[str] | pd.DataFrame | Shopper"


@dataclass(frozen=True)
class AskedHistory:
    """A history as the exported models take it.

    Attributes:
        items: item ids, oldest first.
        events: what was done with each; "" where not known.
        timestamps: when, in unix seconds; 0 where not known.
        context: context features.
        later: ids of items bought later, where that is known.
    """

    items: list[str]
    events: list[str]
    timestamps: list[int]
    context: dict[str, str] = field(default_factory=dict)
    later: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        history: HistoryLike,
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        context: Mapping[str, str] | None = None,
    ) -> "AskedHistory":
        """Reads a history.

        Args:
            history: item ids, oldest first; a table with the column `item_id` and, where known,
                `event` and `timestamp`; or a shopper.
            events: what was done with each item, where `history` is a list of ids.
            timestamps: when, in unix seconds, where `history` is a list of ids.
            context: context features; those of the shopper by default.

        Raises:
            UserError: if the parts do not fit together.
        """
        later = None
        if isinstance(history, Shopper):
            later = frozenset(history.later["item_id"])
            context = history.context if context is None else context
            history = history.history
        if isinstance(history, str):
            raise UserError(f"a history should be a list of item ids, not the text {history!r}")
        if isinstance(history, pd.DataFrame):
            if events is not None or timestamps is not None:
                raise UserError(
                    "a history that is a table has its events and timestamps in it; leave out the "
                    "arguments `events` and `timestamps`"
                )
            items, events, timestamps = _columns(history)
        else:
            items = [str(item) for item in history]
        for name, values in (("events", events), ("timestamps", timestamps)):
            if values is not None and len(values) != len(items):
                raise UserError(
                    f"{name} should have one entry an item of the history: {len(items)}, not "
                    f"{len(values)}"
                )
        return cls(
            items,
            [""] * len(items) if events is None else list(events),
            [0] * len(items) if timestamps is None else [int(value) for value in timestamps],
            dict(context or {}),
            later,
        )

    def without(self, item_id: str) -> "AskedHistory":
        """Returns this history with every event of an item left out; its length stays."""
        items = ["" if item == item_id else item for item in self.items]
        return AskedHistory(items, self.events, self.timestamps, self.context, self.later)


def _columns(table: pd.DataFrame) -> tuple[list[str], list[str] | None, list[int] | None]:
    if "item_id" not in table:
        raise UserError(
            f"a history that is a table needs the column item_id; it has {', '.join(table.columns)}"
        )
    events = table["event"].astype(str).tolist() if "event" in table else None
    timestamps = None
    if "timestamp" in table:
        moments = table["timestamp"]
        if pd.api.types.is_datetime64_any_dtype(moments):
            known = moments.notna()
            seconds = (moments - pd.Timestamp(0, tz=moments.dt.tz)) // pd.Timedelta(seconds=1)
            moments = seconds.where(known, 0)
        timestamps = moments.astype("int64").tolist()
    return table["item_id"].astype(str).tolist(), events, timestamps


def search_filters(
    categories: Sequence[str],
    price_from: float | None,
    price_to: float | None,
    include_sold_out: bool,
) -> dict[str, object]:
    """Returns the inputs of a search's filters for one query; none where nothing is filtered.

    Raises:
        UserError: if no price can lie between the bounds, or a single text was given for the list
            of categories.
    """
    if isinstance(categories, str):
        raise UserError(f"categories should be a list of names, not the text {categories!r}")
    if price_from is not None and price_to is not None and price_from > price_to:
        raise UserError(
            f"no price is from {price_from:g} to {price_to:g}; give the lower bound first"
        )
    if not categories and price_from is None and price_to is None and not include_sold_out:
        return {}
    return {
        "filter_category": [list(categories) or [""]],
        "filter_price_from": [np.nan if price_from is None else price_from],
        "filter_price_to": [np.nan if price_to is None else price_to],
        "include_sold_out": [include_sold_out],
    }
