"""Which served list an event belongs to, so that clicks and purchases count for a version."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from tfrec.monitoring.live.event_log import ServedList, ShopperEvent

PLACES = 20
MOST_LISTS = 500_000
MOST_LISTS_A_SHOPPER = 20


@dataclass(slots=True)
class RememberedList:
    """A served list, for as long as events may belong to it.

    Attributes:
        served: unix seconds.
        version: the model's version.
        variant: the arm of a test.
        items: the items.
        foretold: names of the event types that the list had probabilities of.
        seen: pairs of event and item that were counted already.
    """

    served: float
    version: int | None
    variant: str | None
    items: frozenset[str]
    foretold: frozenset[str]
    seen: set[tuple[str, str]] = field(default_factory=set)


class Attribution:
    """Remembers the lists of the last while.

    An event belongs to the list that it names. One that names none (a later purchase) belongs to
    the newest list that showed the item to the shopper within the window. Exact repeats, and
    further events of a kind about the same item of a list, count once.

    Args:
        seconds: how long after a list an event may belong to it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lists: OrderedDict[str, RememberedList] = OrderedDict()
        self._of_shopper: OrderedDict[str, deque[RememberedList]] = OrderedDict()

    def remember(self, served: ServedList) -> bool:
        """Remembers a list; returns whether it is new."""
        key = served.recommendation_id
        if key is not None and key in self._lists:
            return False
        entry = RememberedList(
            served.received,
            served.model_version,
            served.variant,
            frozenset(served.item_ids[:PLACES]),
            frozenset(served.probabilities or ()),
        )
        if key is not None:
            self._lists[key] = entry
            if len(self._lists) > MOST_LISTS:
                self._lists.popitem(last=False)
        if served.user is not None:
            own = self._of_shopper.setdefault(served.user, deque(maxlen=MOST_LISTS_A_SHOPPER))
            own.append(entry)
            self._of_shopper.move_to_end(served.user)
            if len(self._of_shopper) > MOST_LISTS:
                self._of_shopper.popitem(last=False)
        return True

    def find(self, event: ShopperEvent) -> RememberedList | None:
        """Returns the list that an event belongs to if it is the first such event, else None."""
        found = None
        if event.recommendation_id is not None:
            found = self._lists.get(event.recommendation_id)
        elif event.user is not None:
            for entry in reversed(self._of_shopper.get(event.user, ())):
                if event.item_id in entry.items and event.received >= entry.served:
                    found = entry
                    break
        if found is None or event.received - found.served > self.seconds:
            return None
        pair = (event.event, event.item_id)
        if pair in found.seen:
            return None
        found.seen.add(pair)
        return found

    def forget(self, now: float) -> None:
        """Drops lists that no event can belong to any more."""
        oldest = now - self.seconds
        while self._lists and next(iter(self._lists.values())).served < oldest:
            self._lists.popitem(last=False)
        while self._of_shopper and next(iter(self._of_shopper.values()))[-1].served < oldest:
            self._of_shopper.popitem(last=False)
