"""Arguments of a client's user, checked and made tensors."""

import math
from collections.abc import Sequence
from typing import Any

from serving import tensors
from serving.errors import InvalidRequestError


def check_k(k: int) -> None:
    """Raises `InvalidRequestError` unless `k` is positive."""
    if k < 1:
        raise InvalidRequestError(f"k should be a positive integer, not {k}")


def check_list(what: str, items: Sequence[str], of: str = "item ids") -> None:
    """Raises `InvalidRequestError` if a single string was given for a list."""
    if isinstance(items, str):
        raise InvalidRequestError(f"{what} should be a list of {of}, not the text {items!r}")


def column(values: Sequence[str]) -> Any:
    """Returns strings as a [B] tensor."""
    return tensors.make(tensors.DT_STRING, [len(values)], values)


def text(name: str, value: object) -> Any:
    """Returns the text of a column as a [1] tensor.

    Raises:
        InvalidRequestError: if it is no text.
    """
    if not isinstance(value, str):
        raise InvalidRequestError(f"{name} should be a text, not {value!r}")
    return column([value])


def vector(name: str, values: Sequence[float] | str, width: int) -> Any:
    """Returns a vector as a [1, width] tensor; zeros stand for one that is not there.

    Raises:
        InvalidRequestError: if it holds other things than `width` finite numbers.
    """
    given = list(values)
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in given)
    if isinstance(values, str) or not numbers or len(given) not in (0, width):
        raise InvalidRequestError(f"{name} should be a list of {width} numbers")
    return tensors.make(tensors.DT_FLOAT, [1, width], given or [0.0] * width)


def row(values: Sequence[str]) -> Any:
    """Returns one row of strings as a [1, L] tensor; "" stands in where there is none."""
    values = values or [""]
    return tensors.make(tensors.DT_STRING, [1, len(values)], values)


def price(value: float | None) -> Any:
    """Returns a price as a [1] tensor; NaN stands for one that is not known."""
    return tensors.make(tensors.DT_FLOAT, [1], [math.nan if value is None else value])


def moment(seconds: int | None) -> Any:
    """Returns a unix time as a [1] tensor; 0 stands for that of the last event.

    Raises:
        InvalidRequestError: if it is below 0.
    """
    if seconds is not None and seconds < 0:
        raise InvalidRequestError(f"now should be a unix time in seconds, not {seconds}")
    return tensors.make(tensors.DT_INT64, [1], [int(seconds or 0)])


def filters(
    categories: Sequence[str],
    price_from: float | None,
    price_to: float | None,
    include_sold_out: bool,
) -> dict[str, Any]:
    """Returns the tensors of a search's filters; none where nothing is filtered.

    Raises:
        InvalidRequestError: if no price can lie between the bounds, or a single string was given
            for the list of categories.
    """
    check_list("categories", categories, "names")
    for name, bound in (("price_from", price_from), ("price_to", price_to)):
        if bound is not None and not math.isfinite(bound):
            raise InvalidRequestError(f"{name} should be a number, not {bound}")
    if price_from is not None and price_to is not None and price_from > price_to:
        raise InvalidRequestError(
            f"no price is from {price_from:g} to {price_to:g}; give the lower bound first"
        )
    if not categories and price_from is None and price_to is None and not include_sold_out:
        return {}
    return {
        "filter_category": row(categories),
        "filter_price_from": price(price_from),
        "filter_price_to": price(price_to),
        "include_sold_out": tensors.make(tensors.DT_BOOL, [1], [include_sold_out]),
    }


def history(
    items: Sequence[str], events: Sequence[str] | None, timestamps: Sequence[int] | None
) -> dict[str, Any]:
    """Returns the three history tensors, each [1, 1 + L]; the first event is blank.

    Models skip it. The official server pads a shorter history of a batch with copies of its first
    event, which must not be a real one.

    Raises:
        InvalidRequestError: if their lengths differ, or a single string was given for a list.
    """
    check_list("a history", items)
    for name, values in (("events", events), ("timestamps", timestamps)):
        if values is not None and len(values) != len(items):
            raise InvalidRequestError(
                f"{name} should have one entry an item of the history: {len(items)}, "
                f"not {len(values)}"
            )
    times = [0, *(timestamps or [0] * len(items))]
    return {
        "history_item_id": row(["", *items]),
        "history_event": row(["", *(events or [""] * len(items))]),
        "history_timestamp": tensors.make(tensors.DT_INT64, [1, len(times)], times),
    }


def shopper(
    items: Sequence[str],
    events: Sequence[str] | None,
    timestamps: Sequence[int] | None,
    exclude: Sequence[str],
) -> dict[str, Any]:
    """Returns the tensors of a history, as `history` does, and of what must not be in the answer.

    Raises:
        InvalidRequestError: as `history` does.
    """
    return {**history(items, events, timestamps), "exclude_item_id": row(exclude)}
