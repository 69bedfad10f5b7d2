"""What every history store does."""

import abc
from collections.abc import Sequence
from typing import Self

from serving.history.event import Event

SCHEMA_VERSION = 1
DEFAULT_KEEP = 200


class HistoryStore(abc.ABC):
    """The newest events of each shopper. Safe to share between threads.

    Users are given as hashes; no store ever sees a raw id. Every method raises
    `HistoryUnavailableError` while the store does not answer, and `HistorySetupError` where it
    never will.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abc.abstractmethod
    def append(self, user: str, events: Sequence[Event]) -> list[bool]:
        """Adds events of one shopper and drops the oldest beyond the store's bound.

        An event that is there already (same item, kind and millisecond) is not added again, so
        that a caller may repeat a request whose answer it did not get.

        Args:
            user: the shopper's hash.
            events: in any order.

        Returns:
            For each event, whether it was new.
        """

    @abc.abstractmethod
    def recent(self, user: str, limit: int) -> list[Event]:
        """Returns the newest `limit` events of a shopper, oldest first.

        Events of the same millisecond come in the order of their kinds and items.
        """

    @abc.abstractmethod
    def erase(self, user: str) -> int:
        """Removes everything about a shopper; returns how many events that were."""

    @abc.abstractmethod
    def erasures(self) -> list[tuple[str, float]]:
        """Returns whom gateways on other machines erased lately, and when, in unix seconds.

        What those machines noted elsewhere, such as an event log, they have to erase themselves.
        Empty for a store that one machine has for itself.
        """

    @abc.abstractmethod
    def salt(self) -> str:
        """Returns the store's own random salt of user hashes; made at the first call."""

    @abc.abstractmethod
    def check(self) -> None:
        """Returns if the store answers, and raises what stands in the way otherwise."""

    @abc.abstractmethod
    def close(self) -> None:
        """Closes every connection."""
