"""What the gateway does: recommend for a shopper, note events, show and erase a history."""

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from serving.client import RECOMMENDER, Recommendations, RecommenderClient
from serving.gateway import messages, validation
from serving.gateway.errors import RefusalError
from serving.gateway.event_log import EventLog
from serving.gateway.metrics import GatewayMetrics
from serving.history import Event, HistoryError, HistoryStore, UserHashes
from serving.server.statuses import Code

log = logging.getLogger("serving.gateway")
# Models read fewer; more would only cost time.
HISTORY_EVENTS = 100
IMPRESSION = "impression"
# Events without a time of their own that came in one batch keep their order.
TICK_SECONDS = 0.001


class GatewayService:
    """The methods of the service, each a request in and a response out."""

    def __init__(
        self,
        client: RecommenderClient,
        history: HistoryStore,
        users: UserHashes,
        metrics: GatewayMetrics,
        event_log: EventLog | None = None,
    ) -> None:
        """Puts the parts together.

        Args:
            client: of the model server.
            history: the shoppers' events.
            users: turns their ids into hashes.
            metrics: what is counted.
            event_log: where recommendations and events are noted; None for nowhere.
        """
        self._client = client
        self._history = history
        self._users = users
        self._metrics = metrics
        self._event_log = event_log

    def recommend_for(self, request: Any, timeout: float) -> Any:
        """Answers a RecommendForRequest.

        Raises:
            RefusalError: if the request cannot be answered.
            ClientError: if the model server does not answer.
        """
        validation.check_recommend(request)
        began = time.time()
        user, kept, degraded = self._kept_events(request.user_id)
        given = [validation.stored(event, began) for event in request.history]
        events = [*kept, *given][-HISTORY_EVENTS:]
        titles = not request.HasField("titles") or request.titles
        answer = self._client.recommend(
            [event.item_id for event in events],
            [event.event for event in events],
            [int(event.time) for event in events],
            k=request.k or validation.DEFAULT_K,
            exclude=list(request.exclude_item_ids),
            context=dict(request.context),
            model=request.model or RECOMMENDER,
            titles=titles,
            # A shopper of whose items none is known is a new shopper, not an error.
            strict=False,
            timeout=timeout,
        )
        response = messages.RecommendForResponse(
            recommendation_id=f"{answer.version}-{secrets.token_hex(8)}",
            model=answer.model,
            model_version=answer.version,
            history_length=len(events),
            degraded=degraded,
        )
        _add_items(response, answer)
        unknown = _unknown(events, answer) if titles else None
        ids = [item.item_id for item in answer]
        self._metrics.served(
            answer.version, ids, history=len(events), unknown=unknown, degraded=degraded
        )
        self._note(
            {
                "event": validation.RESERVED_KIND,
                "time": round(began, 3),
                "user": user,
                "recommendation_id": response.recommendation_id,
                "model": answer.model,
                "model_version": answer.version,
                "variant": request.variant or None,
                "item_ids": ids,
                "scores": [item.score for item in answer],
                "probabilities": _probabilities(answer),
                "propensities": None,
                "history_length": len(events),
                "history_unknown": unknown,
                "degraded": degraded,
                "latency_ms": round((time.time() - began) * 1e3, 3),
            }
        )
        return response

    def record_event(self, request: Any, timeout: float) -> Any:
        """Notes a ShopperEvent.

        Raises:
            RefusalError: if the event cannot be noted.
            HistoryError: if the history store does not answer.
        """
        recorded = self._record([request])
        return messages.RecordEventResponse(recorded=recorded == 1)

    def record_events(self, request: Any, timeout: float) -> Any:
        """Notes the events of a RecordEventsRequest; raises as `record_event`."""
        recorded = self._record(request.events)
        return messages.RecordEventsResponse(
            recorded=recorded, repeated=len(request.events) - recorded
        )

    def get_history(self, request: Any, timeout: float) -> Any:
        """Answers a GetHistoryRequest; raises as `record_event`."""
        validation.check_user(request.user_id)
        if request.limit < 0:
            raise RefusalError(Code.INVALID_ARGUMENT, "limit should not be negative")
        user = self._users.of(request.user_id)
        response = messages.GetHistoryResponse()
        for event in self._history.recent(user, request.limit or validation.MOST_EVENTS):
            message = response.events.add(item_id=event.item_id, event=event.event)
            message.time.FromMilliseconds(event.milliseconds)
        return response

    def erase_user(self, request: Any, timeout: float) -> Any:
        """Answers an EraseUserRequest, once nothing of the shopper is left.

        Raises:
            RefusalError: if the event log cannot be rewritten.
            HistoryError: if the history store does not answer.
        """
        validation.check_user(request.user_id)
        user = self._users.of(request.user_id)
        events = self._history.erase(user)
        lines = 0
        if self._event_log is not None:
            try:
                lines = self._event_log.erase(user)
            except OSError as error:
                raise RefusalError(
                    Code.UNAVAILABLE,
                    f"the history is erased, but the event log is not ({error.strerror}); ask "
                    "again once its disk works",
                ) from error
        return messages.EraseUserResponse(events=events, log_lines=lines)

    def _kept_events(self, user_id: str) -> tuple[str | None, list[Event], bool]:
        """Returns a shopper's hash and events, and whether the store failed to tell them."""
        if not user_id:
            return None, [], False
        user = None
        try:
            user = self._users.of(user_id)
            return user, self._history.recent(user, HISTORY_EVENTS), False
        except HistoryError as error:
            self._metrics.history_failures.inc()
            log.warning("recommending without the history store: %s", error)
            return user, [], True

    def _record(self, events: Sequence[Any]) -> int:
        """Notes events and returns how many were new."""
        validation.check_events(events)
        now = time.time()
        by_user: dict[str, list[tuple[Any, Event]]] = {}
        for number, event in enumerate(events):
            default = now + number * TICK_SECONDS
            user = self._users.of(event.user_id)
            by_user.setdefault(user, []).append((event, validation.stored(event, default)))
        lines: list[dict[str, Any]] = []
        try:
            for user, pairs in by_user.items():
                lines.extend(self._recorded(user, pairs))
        finally:
            # Also of those before a failure: when the caller repeats the batch, they are no news.
            for line in lines:
                self._metrics.recorded(line["event"], line["model_version"])
            self._note(*lines)
        return len(lines)

    def _recorded(self, user: str, pairs: Sequence[tuple[Any, Event]]) -> list[dict[str, Any]]:
        """Keeps events of one shopper, and returns the log's lines of those that are new."""
        kept = [pair for pair in pairs if pair[1].event != IMPRESSION]
        shown = [pair for pair in pairs if pair[1].event == IMPRESSION]
        new = self._append(user, [one for _, one in kept])
        noted = [pair for pair, is_new in zip(kept, new, strict=True) if is_new] + shown
        return [_line(user, event, one) for event, one in noted]

    def _append(self, user: str, events: list[Event]) -> list[bool]:
        if not events:
            return []
        try:
            return self._history.append(user, events)
        except HistoryError:
            self._metrics.history_failures.inc()
            raise

    def _note(self, *lines: Mapping[str, Any]) -> None:
        """Writes to the event log; a full disk must not keep a shop from recommending."""
        if self._event_log is None or not lines:
            return
        try:
            self._event_log.write(lines)
        except OSError as error:
            self._metrics.log_failures.inc()
            log.error("the event log lost %d lines: %s", len(lines), error.strerror)


def _add_items(response: Any, answer: Recommendations) -> None:
    for item in answer:
        response.items.add(
            item_id=item.item_id,
            score=item.score,
            title=item.title or "",
            price=item.price,
            reason_item_id=item.reason_item_id or "",
            reason_title=item.reason_title or "",
            probabilities=dict(item.probabilities),
        )


def _probabilities(answer: Recommendations) -> dict[str, list[float]] | None:
    """Returns the probabilities of the items by event type; None where the model says none."""
    if not answer or not answer[0].probabilities:
        return None
    return {
        event: [item.probabilities[event] for item in answer] for event in answer[0].probabilities
    }


def _unknown(events: Sequence[Event], answer: Recommendations) -> int:
    missing = set(answer.unknown)
    return sum(event.item_id in missing for event in events)


def _line(user: str, event: Any, kept: Event) -> dict[str, Any]:
    return {
        "event": kept.event,
        "time": kept.milliseconds / 1000,
        "user": user,
        "item_id": kept.item_id,
        "recommendation_id": event.recommendation_id or None,
        "model_version": validation.version_of(event),
        "position": event.position if event.HasField("position") else None,
        "propensity": event.propensity if event.HasField("propensity") else None,
        "value": event.value if event.HasField("value") else None,
        "variant": event.variant or None,
    }
