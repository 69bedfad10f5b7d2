"""Response messages made the typed results of `serving.client.results`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from serving import tensors
from serving.client.results import (
    HomePage,
    Item,
    ModelVersion,
    Reason,
    Recommendation,
    Shelf,
)

PROBABILITY_PREFIX = "probability_"
STATES = {0: "unknown", 10: "start", 20: "loading", 30: "available", 40: "unloading", 50: "end"}


def recommendations(outputs: Mapping[str, Any], k: int) -> tuple[Recommendation, ...]:
    """Reads the first row of an answer, at most `k` items; "" ids are padding."""
    ids = tensors.values_of(outputs["item_id"])
    # A server that batches pads shorter candidate lists, and their scores come back padded, too.
    scores = tensors.values_of(outputs["score"])[: len(ids)]
    reasons = tensors.values_of(outputs["reason_item_id"]) if "reason_item_id" in outputs else None
    probabilities = {
        name.removeprefix(PROBABILITY_PREFIX): tensors.values_of(proto)
        for name, proto in sorted(outputs.items())
        if name.startswith(PROBABILITY_PREFIX)
    }
    intervals, due = (
        tensors.values_of(outputs[name]) if name in outputs else None
        for name in ("interval_days", "due_in_days")
    )
    causes, weights, words = (
        _by_item(outputs, name) for name in ("reason_item_ids", "reason_weights", "reason_words")
    )
    answer = [
        Recommendation(
            item_id=_text(item_id),
            score=float(score),
            reason_item_id=(_text(reasons[rank]) or None) if reasons else None,
            reasons=tuple(
                Reason(_text(cause), float(weight))
                for cause, weight in zip(causes[rank], weights[rank], strict=True)
                if cause
            )
            if causes and weights
            else (),
            reason_words=tuple(_text(word) for word in words[rank] if word) if words else (),
            probabilities={name: values[rank] for name, values in probabilities.items()},
            interval_days=float(intervals[rank]) if intervals else None,
            due_in_days=float(due[rank]) if due else None,
        )
        for rank, (item_id, score) in enumerate(zip(ids, scores, strict=True))
        if item_id
    ]
    return tuple(answer[:k])


def home_page(outputs: Mapping[str, Any], model: str, version: int) -> HomePage:
    """Reads the first page of an answer; "" ids are padding."""
    kinds, states, reasons = (
        [_text(value) for value in tensors.values_of(outputs[name])]
        for name in ("shelf", "state", "reason_item_id")
    )
    ids, scores, fills = (
        tensors.values_of(outputs[name]) for name in ("item_id", "score", "filler")
    )
    # The outputs are [pages, shelves] and [pages, shelves, places]; one page was asked for.
    width = len(ids) // len(kinds)
    shelves = []
    for number, (kind, state, reason) in enumerate(zip(kinds, states, reasons, strict=True)):
        places = [place for place in range(number * width, (number + 1) * width) if ids[place]]
        found = tuple(
            Recommendation(
                item_id=_text(ids[place]),
                score=float(scores[place]),
                reason_item_id=(reason or None) if not fills[place] else None,
            )
            for place in places
        )
        fillers = sum(bool(fills[place]) for place in places)
        shelves.append(Shelf(kind, state, found, fillers, reason or None))
    return HomePage(tuple(shelves), model, version)


def items(item_ids: Sequence[str], outputs: Mapping[str, Any]) -> list[Item]:
    """Reads descriptions of `item_ids`, in their order."""
    titles = tensors.values_of(outputs["title"])
    prices = tensors.values_of(outputs["price"])
    known = tensors.values_of(outputs["known"])
    return [
        Item(item_id, _text(title) if is_known else None, _price(price), bool(is_known))
        for item_id, title, price, is_known in zip(item_ids, titles, prices, known, strict=True)
    ]


def model_versions(name: str, statuses: Sequence[Any]) -> list[ModelVersion]:
    """Reads the ModelVersionStatus messages of one model."""
    return [
        ModelVersion(
            name,
            status.version,
            STATES.get(status.state, "unknown"),
            status.status.error_message,
        )
        for status in statuses
    ]


def _by_item(outputs: Mapping[str, Any], name: str) -> list[list[Any]]:
    """Reads the first row of an output [rows, items, count]; empty where there is none."""
    if name not in outputs:
        return []
    values = tensors.values_of(outputs[name])
    _, items, count = tensors.shape_of(outputs[name])
    return [values[item * count : (item + 1) * count] for item in range(items)]


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _price(value: float) -> float | None:
    # Seven digits are what a float32 holds: 0.99 came as 0.9900000095367432.
    return None if math.isnan(value) else float(f"{value:.7g}")
