"""Names and prices of items, and their addition to an answer."""

import dataclasses
from collections.abc import Sequence

from serving.client import answers, calls
from serving.client.calls import Operation
from serving.client.requests import column
from serving.client.results import Item, Recommendations
from serving.errors import UnknownItemError

RETRIEVAL = "retrieval"


def describe(item_ids: Sequence[str], deadline: float) -> Operation[list[Item]]:
    """Returns what the server knows of each item, in the order given."""
    if not item_ids:
        return []
    inputs = {"item_id": column(item_ids)}
    response = yield from calls.predict(RETRIEVAL, "describe", inputs, deadline)
    return answers.items(item_ids, response.outputs)


def with_titles(
    answer: Recommendations, asked: Sequence[str], address: str, strict: bool, deadline: float
) -> Operation[Recommendations]:
    """Adds names and prices, and which items of the request are not known.

    Args:
        answer: as the model gave it.
        asked: the items that the request was about.
        address: the server's, for errors.
        strict: whether a request about unknown items only is an error.
        deadline: as in `Call`.

    Raises:
        UnknownItemError: if `strict`, and there are items in `asked` and none is known.
    """
    reasons = [item.reason_item_id for item in answer if item.reason_item_id]
    reasons += [reason.item_id for item in answer for reason in item.reasons]
    names = list(dict.fromkeys([*(item.item_id for item in answer), *reasons, *asked]))
    described = yield from describe(names, deadline)
    items = {item.item_id: item for item in described}
    unknown = tuple(item_id for item_id in dict.fromkeys(asked) if not items[item_id].known)
    if strict and asked and not any(items[item_id].known for item_id in asked):
        raise UnknownItemError(_nothing_known(asked, address))
    named = tuple(
        dataclasses.replace(
            item,
            title=items[item.item_id].title,
            price=items[item.item_id].price,
            reason_title=items[item.reason_item_id].title if item.reason_item_id else None,
            reasons=tuple(
                dataclasses.replace(reason, title=items[reason.item_id].title)
                for reason in item.reasons
            ),
        )
        for item in answer
    )
    return dataclasses.replace(answer, items=named, unknown=unknown)


def _nothing_known(asked: Sequence[str], address: str) -> str:
    shown = ", ".join(list(asked)[:5]) + (", …" if len(asked) > 5 else "")
    if len(asked) == 1:
        what = f"the item {shown} is not in the catalogue"
    else:
        what = f"none of the {len(asked)} items ({shown}) is in the catalogue"
    return (
        f"{what} of the model at {address}; check the ids, or add new products with "
        "`tfrec index refresh`"
    )
