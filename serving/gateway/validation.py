"""Requests checked before anything is done with them."""

import re
import time
from typing import Any

from serving.gateway.errors import RefusalError
from serving.history import Event
from serving.server.statuses import Code

DEFAULT_K = 10
MOST_ITEMS = 1000
MOST_EVENTS = 1000
ID_BYTES = 512
KIND = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)
VARIANT_CHARACTERS = 64
FUTURE_SECONDS = 300.0
RESERVED_KIND = "recommendation"
_RECOMMENDATION = re.compile(r"(\d{1,18})-[0-9a-f]{16}", re.ASCII)


def check_recommend(request: Any) -> None:
    """Raises `RefusalError` unless a RecommendForRequest can be answered."""
    if request.user_id:
        check_user(request.user_id)
    _check(0 <= request.k <= MOST_ITEMS, f"k should be between 1 and {MOST_ITEMS}, not {request.k}")
    for name in ("history", "exclude_item_ids"):
        _check(
            len(getattr(request, name)) <= MOST_EVENTS,
            f"{name} should have at most {MOST_EVENTS} entries",
        )
    for event in request.history:
        _check_id("an item_id of the history", event.item_id)
        if event.event:
            _check_kind(event.event)
        if event.HasField("time"):
            _seconds(event.time)
    _check_variant(request.variant)


def check_events(events: Any) -> None:
    """Raises `RefusalError` unless every ShopperEvent can be noted; names the first that cannot."""
    _check(
        1 <= len(events) <= MOST_EVENTS,
        f"a batch should have between 1 and {MOST_EVENTS} events, not {len(events)}",
    )
    for number, event in enumerate(events):
        try:
            _check_event(event)
        except RefusalError as error:
            if len(events) == 1:
                raise
            raise RefusalError(error.code, f"events[{number}]: {error.text}") from error


def check_user(user_id: str) -> None:
    """Raises `RefusalError` unless it can be the id of a shopper."""
    _check_id("user_id", user_id)


def seconds_of(message: Any, default: float) -> float:
    """Returns the ``time`` of a checked message in unix seconds."""
    return _seconds(message.time) if message.HasField("time") else default


def version_of(event: Any) -> int | None:
    """Returns the version of the model that recommended what an event is about, if any."""
    if event.HasField("model_version"):
        return event.model_version
    match = _RECOMMENDATION.fullmatch(event.recommendation_id)
    return int(match[1]) if match else None


def stored(message: Any, default: float) -> Event:
    """Returns a checked HistoryEvent or ShopperEvent as a history keeps it."""
    return Event(message.item_id, message.event, seconds_of(message, default))


def _check_event(event: Any) -> None:
    check_user(event.user_id)
    _check_id("item_id", event.item_id)
    _check_kind(event.event)
    if event.HasField("time"):
        ahead = _seconds(event.time) - time.time()
        _check(ahead <= FUTURE_SECONDS, f"time is {ahead:.0f} s in the future; check the clock")
    if event.recommendation_id:
        _check(
            _RECOMMENDATION.fullmatch(event.recommendation_id) is not None,
            "recommendation_id is none that RecommendFor gave",
        )
    if event.HasField("model_version"):
        _check(event.model_version >= 0, "model_version should not be negative")
    if event.HasField("position"):
        _check(event.position >= 1, f"position should be 1 or more, not {event.position}")
    if event.HasField("propensity"):
        _check(
            0.0 < event.propensity <= 1.0,
            f"propensity should be above 0 and at most 1, not {event.propensity:g}",
        )
    if event.HasField("value"):
        # Neither comparison holds for NaN.
        _check(abs(event.value) < float("inf"), "value should be a finite number")
    _check_variant(event.variant)


def _check_kind(kind: str) -> None:
    _check(
        KIND.fullmatch(kind) is not None and kind != RESERVED_KIND,
        f"event should be up to 64 of a-z, 0-9, _, . and -, and not {RESERVED_KIND!r}: such as "
        "view, cart or purchase",
    )


def _check_id(name: str, value: str) -> None:
    # The value itself is left out: it may be personal, and texts end up in logs.
    size = len(value.encode())
    _check(1 <= size <= ID_BYTES, f"{name} should have 1 to {ID_BYTES} bytes, not {size}")


def _check_variant(variant: str) -> None:
    _check(
        len(variant) <= VARIANT_CHARACTERS,
        f"variant should have at most {VARIANT_CHARACTERS} characters",
    )


def _seconds(timestamp: Any) -> float:
    _check(
        0 <= timestamp.seconds < 253_402_300_800 and 0 <= timestamp.nanos < 1_000_000_000,
        "time should be between the years 1970 and 9999",
    )
    return timestamp.seconds + timestamp.nanos / 1e9


def _check(holds: bool, text: str) -> None:
    if not holds:
        raise RefusalError(Code.INVALID_ARGUMENT, text)
