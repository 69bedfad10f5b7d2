"""One event of a shopper."""

from dataclasses import dataclass

MILLISECONDS = 1000


@dataclass(frozen=True)
class Event:
    """What a shopper did with an item.

    Attributes:
        item_id: the shop's own id.
        event: such as ``"view"`` or ``"purchase"``.
        time: when, in unix seconds; kept to the millisecond.
    """

    item_id: str
    event: str
    time: float

    @property
    def milliseconds(self) -> int:
        """`time` in whole milliseconds, as stores keep it."""
        return round(self.time * MILLISECONDS)

    @classmethod
    def at(cls, milliseconds: int, event: str, item_id: str) -> "Event":
        """Returns an event as a store kept it."""
        return cls(item_id, event, milliseconds / MILLISECONDS)
