"""A client for back-end developers: recommendations by gRPC, without TensorFlow.

Example:
    ```python
    from serving.client import RecommenderClient

    with RecommenderClient("localhost:8500") as client:
        for item in client.recommend(["85123A", "22423"], k=5):
            print(item.item_id, item.title, item.score)
    ```
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving import tensors
from serving.channel import ModelServerChannel
from serving.errors import InvalidRequestError, ModelMissingError, UnknownItemError

RECOMMENDER = "recommender"
RETRIEVAL = "retrieval"
RANKING = "ranking"
SERVING_DEFAULT = "serving_default"
CONTEXT_PREFIX = "context_"
PROBABILITY_PREFIX = "probability_"
STATES = {0: "unknown", 10: "start", 20: "loading", 30: "available", 40: "unloading", 50: "end"}


@dataclass(frozen=True)
class Recommendation:
    """One item of an answer.

    Attributes:
        item_id: the shop's own id.
        score: what the answer is ordered by; only comparable within one answer.
        title: the item's name; None if it was not asked for or is not known.
        price: its price; None if not known.
        reason_item_id: the item of the history that contributed most; None where the model
            does not say.
        reason_title: that item's name.
        probabilities: by event type, such as ``{"purchase": 0.1}``; empty where the model does
            not say.
    """

    item_id: str
    score: float
    title: str | None = None
    price: float | None = None
    reason_item_id: str | None = None
    reason_title: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """What the server knows of an item: `title` and `price` mean nothing unless `known`."""

    item_id: str
    title: str | None
    price: float | None
    known: bool


@dataclass(frozen=True)
class ModelVersion:
    """The state of one version of a served model; `error` is empty unless its load failed."""

    name: str
    version: int
    state: str
    error: str = ""


class RecommenderClient:
    """Asks a server for recommendations. Safe to share between threads."""

    def __init__(
        self,
        address: str,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        max_message_megabytes: int = 64,
    ) -> None:
        """Prepares a connection; the first call makes it.

        Args:
            address: ``HOST:PORT`` of the server's gRPC port.
            timeout: deadline of a call in seconds, retries included.
            retries: how often a call is tried again while the server is unavailable.
            max_message_megabytes: largest answer that is accepted.

        Raises:
            InvalidRequestError: if the address is not ``HOST:PORT``.
        """
        self._channel = ModelServerChannel(
            address, timeout=timeout, retries=retries, max_message_megabytes=max_message_megabytes
        )
        self._inputs: dict[tuple[str, str], frozenset[str]] = {}

    def __enter__(self) -> "RecommenderClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """``HOST:PORT`` of the server."""
        return self._channel.address

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def recommend(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        context: Mapping[str, str] | None = None,
        model: str = RECOMMENDER,
        titles: bool = True,
        timeout: float | None = None,
    ) -> list[Recommendation]:
        """Returns what a shopper with this history may want next, best first.

        Args:
            history: item ids, oldest first; may be empty.
            events: what the shopper did with each, such as ``"purchase"``; None if not known.
            timestamps: when, in unix seconds; None if not known.
            k: how many items at most. The model answers with a fixed number, usually 100.
            exclude: item ids that must not be recommended.
            context: values of the model's context features, such as ``{"country": "France"}``.
            model: ``"recommender"`` (retrieval, ranking and display order) or ``"retrieval"``.
            titles: whether to ask for names and prices, too (one more call).
            timeout: deadline of each call in seconds; None for the client's.

        Returns:
            At most `k` recommendations.

        Raises:
            UnknownItemError: if the history has items and the server knows none of them (only
                noticed with `titles`).
            ClientError: if an argument is wrong or the server cannot answer.
        """
        _check_k(k)
        inputs = {
            **_history(history, events, timestamps),
            "exclude_item_id": _rows(list(exclude)),
        }
        outputs = self._predict(model, SERVING_DEFAULT, inputs, context or {}, timeout)
        answer = _recommendations(outputs, k)
        return self._with_titles(answer, history, timeout) if titles else answer

    def search(
        self,
        query: str,
        history: Sequence[str] = (),
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        k: int = 10,
        context: Mapping[str, str] | None = None,
        titles: bool = True,
        timeout: float | None = None,
    ) -> list[Recommendation]:
        """Returns the items that fit a text, best first.

        Args:
            query: words, in the language of the product descriptions.
            history: item ids of the shopper, oldest first, if the answer should lean to them.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            k: how many items at most.
            context: as in `recommend`.
            titles: as in `recommend`.
            timeout: as in `recommend`.

        Raises:
            ClientError: if an argument is wrong or the server cannot answer.
        """
        _check_k(k)
        if not query.strip():
            raise InvalidRequestError("the query is empty; say what to look for")
        inputs = {"query": _column([query]), **_history(history, events, timestamps)}
        outputs = self._predict(RETRIEVAL, "search", inputs, context or {}, timeout)
        answer = _recommendations(outputs, k)
        return self._with_titles(answer, (), timeout) if titles else answer

    def similar(
        self, item_id: str, *, k: int = 10, titles: bool = True, timeout: float | None = None
    ) -> list[Recommendation]:
        """Returns the items that are most like an item, best first.

        Raises:
            UnknownItemError: if the server does not know the item (only noticed with `titles`).
            ClientError: if an argument is wrong or the server cannot answer.
        """
        _check_k(k)
        inputs = {"item_id": _column([item_id])}
        outputs = self._predict(RETRIEVAL, "similar", inputs, {}, timeout)
        answer = _recommendations(outputs, k)
        return self._with_titles(answer, (item_id,), timeout) if titles else answer

    def rank(
        self,
        history: Sequence[str],
        candidates: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        context: Mapping[str, str] | None = None,
        titles: bool = False,
        timeout: float | None = None,
    ) -> list[Recommendation]:
        """Returns the candidates in the order in which the shopper may want them.

        Args:
            history: as in `recommend`.
            candidates: item ids to order, at least one.
            events: as in `recommend`.
            timestamps: as in `recommend`.
            context: as in `recommend`.
            titles: as in `recommend`.
            timeout: as in `recommend`.

        Returns:
            Every candidate, best first, with its score and probabilities.

        Raises:
            ClientError: if an argument is wrong or the server cannot answer.
        """
        if not candidates:
            raise InvalidRequestError("there is no candidate to rank; give at least one item id")
        inputs = {
            **_history(history, events, timestamps),
            "candidate_item_id": _rows(list(candidates)),
        }
        outputs = self._predict(RANKING, SERVING_DEFAULT, inputs, context or {}, timeout)
        outputs["item_id"] = inputs["candidate_item_id"]
        answer = sorted(
            _recommendations(outputs, len(candidates)), key=lambda item: item.score, reverse=True
        )
        return self._with_titles(answer, history, timeout) if titles else answer

    def describe(self, item_ids: Sequence[str], *, timeout: float | None = None) -> list[Item]:
        """Returns what the server knows of each item, in the order given.

        Raises:
            ClientError: if the server cannot answer.
        """
        if not item_ids:
            return []
        inputs = {"item_id": _column(list(item_ids))}
        outputs = self._channel.predict(RETRIEVAL, "describe", inputs, timeout)
        titles = tensors.values_of(outputs["title"])
        prices = tensors.values_of(outputs["price"])
        known = tensors.values_of(outputs["known"])
        return [
            Item(item_id, _text(title) if is_known else None, _price(price), bool(is_known))
            for item_id, title, price, is_known in zip(item_ids, titles, prices, known, strict=True)
        ]

    def embed_query(
        self,
        history: Sequence[str],
        events: Sequence[str] | None = None,
        timestamps: Sequence[int] | None = None,
        *,
        context: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> list[float]:
        """Returns a shopper's unit vector, whose dot product with an item's is its score.

        Raises:
            ClientError: if an argument is wrong or the server cannot answer.
        """
        inputs = _history(history, events, timestamps)
        outputs = self._predict(RETRIEVAL, "embed_query", inputs, context or {}, timeout)
        return tensors.values_of(outputs["embedding"])

    def embed_item(
        self,
        title: str,
        *,
        price: float | None = None,
        timeout: float | None = None,
        **columns: str,
    ) -> list[float]:
        """Returns the unit vector of an item that need not be in the catalogue.

        Args:
            title: the item's name.
            price: its price; None if not known.
            timeout: deadline in seconds; None for the client's.
            **columns: other texts that the model reads, such as ``description``, ``brand`` and
                ``categories``.

        Raises:
            InvalidRequestError: if the model reads no such column.
            ClientError: if the server cannot answer.
        """
        accepted = self._accepted_inputs(RETRIEVAL, "embed_item", timeout)
        unknown = sorted(set(columns) - accepted)
        if unknown:
            raise InvalidRequestError(
                f"the model reads no column {', '.join(unknown)}; it reads "
                f"{', '.join(sorted(accepted))}"
            )
        inputs = {name: _column([columns.get(name, "")]) for name in accepted - {"title", "price"}}
        inputs["title"] = _column([title])
        if "price" in accepted:
            inputs["price"] = tensors.make(
                tensors.DT_FLOAT, [1], [math.nan if price is None else price]
            )
        outputs = self._channel.predict(RETRIEVAL, "embed_item", inputs, timeout)
        return tensors.values_of(outputs["embedding"])

    def models(
        self,
        names: Sequence[str] = (RECOMMENDER, RETRIEVAL, RANKING),
        *,
        timeout: float | None = None,
    ) -> list[ModelVersion]:
        """Returns every version of the named models that the server has seen, newest first.

        Names that the server does not serve are left out.

        Raises:
            ClientError: if the server cannot answer.
        """
        versions = []
        for name in names:
            try:
                statuses = self._channel.status(name, timeout)
            except ModelMissingError:
                continue
            for status in statuses:
                state = STATES.get(status.state, "unknown")
                error = status.status.error_message
                versions.append(ModelVersion(name, status.version, state, error))
        return versions

    def _predict(
        self,
        model: str,
        signature: str,
        inputs: dict[str, Any],
        context: Mapping[str, str],
        timeout: float | None,
    ) -> dict[str, Any]:
        """Calls Predict with the context features that the model has.

        A new version may have other context features than the one that was asked for its
        signature, so a rejected request is tried once more with fresh metadata.
        """
        for fresh in (False, True):
            if fresh:
                self._inputs.pop((model, signature), None)
            known = (model, signature) in self._inputs
            accepted = self._accepted_inputs(model, signature, timeout)
            features = {name for name in accepted if name.startswith(CONTEXT_PREFIX)}
            given = {CONTEXT_PREFIX + name: value for name, value in context.items()}
            unknown = sorted(set(given) - features)
            if unknown and not known:
                names = sorted(name.removeprefix(CONTEXT_PREFIX) for name in features)
                raise InvalidRequestError(
                    f"the model {model} has no context feature "
                    f"{', '.join(name.removeprefix(CONTEXT_PREFIX) for name in unknown)}; it has "
                    f"{', '.join(names) or 'none'}"
                )
            if unknown:
                continue
            contextual = {name: _column([given.get(name, "")]) for name in features}
            try:
                return self._channel.predict(model, signature, {**inputs, **contextual}, timeout)
            except InvalidRequestError:
                if not known:
                    raise
        raise AssertionError("the second round returns or raises")

    def _accepted_inputs(self, model: str, signature: str, timeout: float | None) -> frozenset[str]:
        key = (model, signature)
        if key not in self._inputs:
            for name, definition in self._channel.signatures(model, timeout).items():
                self._inputs[model, name] = frozenset(definition.inputs)
        if key not in self._inputs:
            raise ModelMissingError(
                f"the model {model} at {self.address} has no signature {signature}; export it "
                "again with `tfrec export`"
            )
        return self._inputs[key]

    def _with_titles(
        self, answer: list[Recommendation], asked: Sequence[str], timeout: float | None
    ) -> list[Recommendation]:
        """Adds names and prices.

        Raises:
            UnknownItemError: if there are items in `asked` and none is known.
        """
        reasons = [item.reason_item_id for item in answer if item.reason_item_id]
        names = list(dict.fromkeys([*(item.item_id for item in answer), *reasons, *asked]))
        items = {item.item_id: item for item in self.describe(names, timeout=timeout)}
        if asked and not any(items[item_id].known for item_id in asked):
            shown = ", ".join(list(asked)[:5]) + (", …" if len(asked) > 5 else "")
            if len(asked) == 1:
                what = f"the item {shown} is not in the catalogue"
            else:
                what = f"none of the {len(asked)} items ({shown}) is in the catalogue"
            raise UnknownItemError(
                f"{what} of the model at {self.address}; check the ids, or add new products with "
                "`tfrec index refresh`"
            )
        return [
            Recommendation(
                item_id=item.item_id,
                score=item.score,
                title=items[item.item_id].title,
                price=items[item.item_id].price,
                reason_item_id=item.reason_item_id,
                reason_title=items[item.reason_item_id].title if item.reason_item_id else None,
                probabilities=item.probabilities,
            )
            for item in answer
        ]


def _check_k(k: int) -> None:
    if k < 1:
        raise InvalidRequestError(f"k should be a positive integer, not {k}")


def _column(values: list[str]) -> Any:
    """Returns strings as a [B] tensor."""
    return tensors.make(tensors.DT_STRING, [len(values)], values)


def _rows(values: list[str]) -> Any:
    """Returns one row of strings as a [1, L] tensor; "" stands in where there is none."""
    values = values or [""]
    return tensors.make(tensors.DT_STRING, [1, len(values)], values)


def _history(
    items: Sequence[str], events: Sequence[str] | None, timestamps: Sequence[int] | None
) -> dict[str, Any]:
    """Returns the three history tensors, each [1, L] with L at least 1.

    Raises:
        InvalidRequestError: if their lengths differ, or a single string was given for a list.
    """
    if isinstance(items, str):
        raise InvalidRequestError(f"a history should be a list of item ids, not the text {items!r}")
    for name, values in (("events", events), ("timestamps", timestamps)):
        if values is not None and len(values) != len(items):
            raise InvalidRequestError(
                f"{name} should have one entry an item of the history: {len(items)}, "
                f"not {len(values)}"
            )
    times = list(timestamps) if timestamps else [0] * max(1, len(items))
    return {
        "history_item_id": _rows(list(items)),
        "history_event": _rows(list(events) if events else [""] * len(items)),
        "history_timestamp": tensors.make(tensors.DT_INT64, [1, len(times)], times),
    }


def _recommendations(outputs: Mapping[str, Any], k: int) -> list[Recommendation]:
    """Reads the first row of an answer; "" ids are padding."""
    ids = tensors.values_of(outputs["item_id"])
    scores = tensors.values_of(outputs["score"])
    reasons = tensors.values_of(outputs["reason_item_id"]) if "reason_item_id" in outputs else None
    probabilities = {
        name.removeprefix(PROBABILITY_PREFIX): tensors.values_of(proto)
        for name, proto in sorted(outputs.items())
        if name.startswith(PROBABILITY_PREFIX)
    }
    answer = [
        Recommendation(
            item_id=_text(item_id),
            score=float(score),
            reason_item_id=(_text(reasons[rank]) or None) if reasons else None,
            probabilities={name: values[rank] for name, values in probabilities.items()},
        )
        for rank, (item_id, score) in enumerate(zip(ids, scores, strict=True))
        if item_id
    ]
    return answer[:k]


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _price(value: float) -> float | None:
    # Seven digits are what a float32 holds: 0.99 came as 0.9900000095367432.
    return None if math.isnan(value) else float(f"{value:.7g}")
