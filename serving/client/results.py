"""What a client answers with."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload


@dataclass(frozen=True)
class Reason:
    """An item of the history that speaks for a recommended one.

    Attributes:
        item_id: the item of the history.
        weight: how much it speaks for it; only comparable within one answer.
        title: its name; None if it was not asked for or is not known.
    """

    item_id: str
    weight: float
    title: str | None = None


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
        reasons: the items of the history that speak for it, the strongest first; empty where the
            model does not say.
        reason_words: the words of its text that do.
        probabilities: by event type, such as ``{"purchase": 0.1}``; empty where the model does
            not say.
        interval_days: days that are expected from one purchase to the next; None but for what is
            bought again.
        due_in_days: days until the next one is expected, below 0 if it is overdue; None as before.
    """

    item_id: str
    score: float
    title: str | None = None
    price: float | None = None
    reason_item_id: str | None = None
    reason_title: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    reason_words: tuple[str, ...] = ()
    interval_days: float | None = None
    due_in_days: float | None = None


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
class Shelf:
    """One shelf of a page.

    Attributes:
        kind: what it holds, such as ``"buy_again"``: the key of its title.
        state: ``"full"``, ``"short"`` with fewer products than wanted, ``"filled"`` where products
            that are none for it stand in its last places, or ``"left_out"`` without any.
        items: the products, best first.
        fillers: how many of the last ones fill a gap.
        reason_item_id: the item that a shelf ``because_of`` one is about; None for others.
        reason_title: its name.
    """

    kind: str
    state: str
    items: tuple[Recommendation, ...]
    fillers: int = 0
    reason_item_id: str | None = None
    reason_title: str | None = None


@dataclass(frozen=True)
class HomePage(Sequence[Shelf]):
    """A page: a sequence of its shelves from the top, that knows which model gave it.

    Attributes:
        shelves: the shelves, those that were left out among them.
        model: name of the model that answered.
        version: its version.
        unknown: as in `Recommendations`.
    """

    shelves: tuple[Shelf, ...]
    model: str
    version: int
    unknown: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Shelf: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Shelf, ...]: ...

    def __getitem__(self, index: int | slice) -> Shelf | tuple[Shelf, ...]:
        return self.shelves[index]

    def __len__(self) -> int:
        return len(self.shelves)

    @property
    def items(self) -> tuple[Recommendation, ...]:
        """All products from the top, each with the reason of its shelf."""
        return tuple(item for shelf in self.shelves for item in shelf.items)

    def with_items(self, items: Sequence[Recommendation], unknown: tuple[str, ...]) -> "HomePage":
        """Returns the page with `items`, in the order of its own, and what was not known."""
        rest = iter(items)
        shelves = []
        for shelf in self.shelves:
            named = tuple(itertools.islice(rest, len(shelf.items)))
            title = next((item.reason_title for item in named if item.reason_item_id), None)
            shelves.append(dataclasses.replace(shelf, items=named, reason_title=title))
        return dataclasses.replace(self, shelves=tuple(shelves), unknown=unknown)


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
