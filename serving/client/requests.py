"""Arguments of a client's user, checked and made tensors."""

import math
import operator
from collections.abc import Sequence
from typing import Any, SupportsFloat

from serving import tensors
from serving.errors import InvalidRequestError


def check_k(k: int) -> None:
    """Raises `InvalidRequestError` unless `k` is a positive integer."""
    try:
        positive = operator.index(k) > 0
    except TypeError:
        positive = False
    if not positive:
        raise InvalidRequestError(f"k should be a positive integer, not {k!r}")


def check_list(what: str, items: Sequence[str], of: str = "item ids") -> None:
    """Raises `InvalidRequestError` if a single string was given for a list."""
    if isinstance(items, str):
        raise InvalidRequestError(f"{what} should be a list of {of}, not the text {items!r}")


def column(values: Sequence[str]) -> Any:
    """Returns strings as a [B] tensor.

    Raises:
        InvalidRequestError: if one of them is no text.
    """
    return tensors.make(tensors.DT_STRING, [len(values)], _encoded(values))


def _encoded(values: Sequence[str]) -> list[bytes]:
    try:
        return [value.encode() for value in values]
    except AttributeError:
        wrong = next(value for value in values if not isinstance(value, str))
        such = f", such as {str(wrong)!r}" if isinstance(wrong, int) else ""
        raise InvalidRequestError(
            f"ids and other values should be texts{such}, not {wrong!r}"
        ) from None
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"the text {error.object[:40]!r} cannot be sent as UTF-8 ({error.reason})"
        ) from error


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
    """Returns one row of strings as a [1, L] tensor; "" stands in where there is none.

    Raises:
        InvalidRequestError: if one of them is no text.
    """
    values = values or [""]
    return tensors.make(tensors.DT_STRING, [1, len(values)], _encoded(values))


def price(value: float | None) -> Any:
    """Returns a price as a [1] tensor; NaN stands for one that is not known.

    Raises:
        InvalidRequestError: if it is no number.
    """
    if not isinstance(value, SupportsFloat | None):
        raise InvalidRequestError(f"a price should be a number, not {value!r}")
    return tensors.make(tensors.DT_FLOAT, [1], [math.nan if value is None else value])


def moment(seconds: int | None) -> Any:
    """Returns a unix time as a [1] tensor; 0 stands for that of the last event.

    Raises:
        InvalidRequestError: if it is no number, or below 0.
    """
    try:
        whole = int(seconds or 0)
    except (TypeError, ValueError, OverflowError):
        whole = -1
    if whole < 0:
        raise InvalidRequestError(f"now should be a unix time in seconds, not {seconds!r}")
    return tensors.make(tensors.DT_INT64, [1], [whole])


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
        if bound is not None and not (isinstance(bound, SupportsFloat) and math.isfinite(bound)):
            raise InvalidRequestError(f"{name} should be a number, not {bound!r}")
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
        InvalidRequestError: if their lengths differ, a single string was given for a list, or a
            time is no whole number.
    """
    check_list("a history", items)
    for name, values in (("events", events), ("timestamps", timestamps)):
        if values is not None and len(values) != len(items):
            raise InvalidRequestError(
                f"{name} should have one entry an item of the history: {len(items)}, "
                f"not {len(values)}"
            )
    times = [0, *(timestamps or [0] * len(items))]
    try:
        moments = tensors.make(tensors.DT_INT64, [1, len(times)], times)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(
            f"timestamps should be whole unix seconds, one an event ({error})"
        ) from error
    return {
        "history_item_id": row(["", *items]),
        "history_event": row(["", *(events or [""] * len(items))]),
        "history_timestamp": moments,
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
    check_list("exclude", exclude)
    return {**history(items, events, timestamps), "exclude_item_id": row(exclude)}
