"""Shoppers whom another gateway erased are erased from this one's event log, too."""

import logging
import time

from serving.gateway.event_log import EventLog
from serving.history import HistoryError, HistoryStore

log = logging.getLogger("serving.gateway")
EVERY_SECONDS = 30.0


class Erasures:
    """Follows the erasures that the gateways of a shared history tell each other."""

    def __init__(self, history: HistoryStore, event_log: EventLog) -> None:
        """Has followed nothing yet, so that what was missed while it was down is done first."""
        self._history = history
        self._event_log = event_log
        self._done: set[tuple[str, float]] = set()
        self._next = 0.0

    def follow(self) -> None:
        """Erases whoever is new in the list, at most twice a minute; failures are tried again."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        try:
            erased = set(self._history.erasures())
            # Sorted, so that the latest counts of a shopper who was erased more than once.
            new = dict(sorted(erased - self._done))
            if new:
                self._event_log.erase_all(new)
        except (HistoryError, OSError) as error:
            log.warning("erasures of other gateways have to wait: %s", error)
        else:
            self._done = erased
