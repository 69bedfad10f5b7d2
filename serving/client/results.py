"""What a client answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload


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
class Recommendations(Sequence[Recommendation]):
    """An answer: a sequence of its items, best first, that knows which model gave it.

    Attributes:
        items: the items.
        model: name of the model that answered.
        version: its version.
        unknown: items of the request that the model does not know; always empty where titles
            were not asked for, because that is the call that tells.
    """

    items: tuple[Recommendation, ...]
    model: str
    version: int
    unknown: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Recommendation: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Recommendation, ...]: ...

    def __getitem__(self, index: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


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
