"""Joins what was shown with what shoppers then did; every line ends as a label or with a reason."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tfrec.config import FeedbackConfig
from tfrec.data.item_counts import SECONDS_PER_DAY
from tfrec.feedback.robots import find_robots
from tfrec.monitoring.live.event_log import IMPRESSION, LogLine, ServedList, ShopperEvent

MOST_HISTORY = 500
# What becomes of a list.
KEPT = "kept"
REPEATED_LIST = "repeated"
EMPTY = "without items"
TOO_OLD = "before the time asked for"
NOT_DISPLAYED = "never displayed"
UNFINISHED = "window not over"
# What becomes of an event.
LABEL = "label"
SHOWN = "impression"
REPEATED = "repeated"
NO_LABEL = "kind without label"
ORGANIC = "on nothing recommended"
UNKNOWN_LIST = "list not in the log"
OTHER_ITEM = "item not on the list"
BEYOND = "beyond the places shown"
EARLY = "before the list"
LATE = "after the window"
ON_REJECTED = "on a rejected list"
USED_EVENTS = frozenset({LABEL, SHOWN})


@dataclass(slots=True)
class ShownList:
    """A list with what came of it.

    Attributes:
        served: the line of the log.
        order: of the shopper's events, how many came before it.
        impressions: by item, the impression of it.
        happened: by event, the items that it happened to.
        rejected: why the list is no example; None if it is.
    """

    served: ServedList
    order: int = 0
    impressions: dict[str, ShopperEvent] = field(default_factory=dict)
    happened: dict[str, set[str]] = field(default_factory=dict)
    rejected: str | None = None


@dataclass(frozen=True)
class Joined:
    """A log, joined.

    Attributes:
        lists: all served lists, in the order of the log's clock.
        histories: events of each shopper except impressions, oldest first.
        displayed: whether the shop records impressions.
        list_counts: number of lists by outcome.
        event_counts: number of events by outcome.
        event_rejects: events that are neither label nor impression, with the reason.
    """

    lists: list[ShownList]
    histories: dict[str, list[ShopperEvent]]
    displayed: bool
    list_counts: Mapping[str, int]
    event_counts: Mapping[str, int]
    event_rejects: list[tuple[ShopperEvent, str]]

    def history(self, shown: ShownList) -> list[ShopperEvent]:
        """Returns the last events of a list's shopper before it, oldest first."""
        user = shown.served.user
        if user is None:
            return []
        return self.histories.get(user, [])[max(shown.order - MOST_HISTORY, 0) : shown.order]

    def places(self, shown: ShownList, most: int) -> list[tuple[str, int]]:
        """Returns the items of a list that were shown and their places, from 1.

        Where the shop records impressions these decide, else the first `most` items were shown.
        """
        places = [
            (item, place)
            for place, item in enumerate(shown.served.item_ids, start=1)
            if (item in shown.impressions if self.displayed else place <= most)
        ]
        if not self.displayed:
            return places
        return [(item, shown.impressions[item].position or place) for item, place in places]


def join(lines: Iterable[LogLine], config: FeedbackConfig, *, since: float | None = None) -> Joined:
    """Joins served lists with the events that belong to them.

    An event belongs to the list that it names; one that names none (a later purchase) to the
    newest list that showed the item to the shopper, as in the live figures. It must come within
    the window after the list, and further events of a kind about the same item of a list are
    repeats. Times are those of the gateway's clock, which shoppers cannot set. A list whose window
    reaches beyond the end of the log may still be clicked on, and is no example yet.

    Args:
        lines: the log, in any order.
        config: window, places, labels and the rules for robots.
        since: lists served before, in unix seconds, are no examples; None for none.
    """
    ordered = sorted(lines, key=lambda line: line.received)
    robots = find_robots(ordered, config)
    served = [line for line in ordered if isinstance(line, ServedList)]
    joining = _Joining(config, robots, any(_is_impression(line) for line in ordered), served)
    for line in ordered:
        if isinstance(line, ServedList):
            joining.serve()
        else:
            joining.happen(line)
    return joining.finish(since, ordered[-1].received if ordered else 0.0)


def _is_impression(line: LogLine) -> bool:
    return isinstance(line, ShopperEvent) and line.event == IMPRESSION


class _Joining:
    def __init__(
        self,
        config: FeedbackConfig,
        robots: Mapping[str, str],
        displayed: bool,
        served: list[ServedList],
    ) -> None:
        self._config = config
        self._robots = robots
        self._displayed = displayed
        self._window = config.window_days * SECONDS_PER_DAY
        self._lists = [ShownList(line) for line in served]
        self._waiting = iter(self._lists)
        # An event that came before its list is told from one that names no list at all.
        self._by_id: dict[str, ShownList] = {}
        for shown in self._lists:
            shown.rejected = self._reason(shown)
        self._newest: dict[tuple[str, str], ShownList] = {}
        self._histories: dict[str, list[ShopperEvent]] = {}
        self._outcomes: list[tuple[ShopperEvent, str, ShownList | None]] = []

    def _reason(self, shown: ShownList) -> str | None:
        served = shown.served
        name = served.recommendation_id
        if name is not None and self._by_id.setdefault(name, shown) is not shown:
            return REPEATED_LIST
        if served.user is not None and served.user in self._robots:
            return self._robots[served.user]
        return None if served.item_ids else EMPTY

    def serve(self) -> None:
        """Goes on to the next list."""
        shown = next(self._waiting)
        user = shown.served.user
        if user is None or shown.rejected == REPEATED_LIST:
            return
        shown.order = len(self._histories.get(user, ()))
        for item in shown.served.item_ids[: self._config.places]:
            self._newest[user, item] = shown

    def happen(self, event: ShopperEvent) -> None:
        """Takes the next event."""
        shown, outcome = self._outcome(event)
        self._outcomes.append((event, outcome, shown))
        if event.user is not None and event.event != IMPRESSION and outcome != REPEATED:
            self._histories.setdefault(event.user, []).append(event)

    def _outcome(self, event: ShopperEvent) -> tuple[ShownList | None, str]:
        if event.user is not None and event.user in self._robots:
            return None, self._robots[event.user]
        impression = event.event == IMPRESSION
        if not impression and event.event not in self._config.events:
            return None, NO_LABEL
        if event.recommendation_id is not None:
            shown = self._by_id.get(event.recommendation_id)
            if shown is None:
                return None, UNKNOWN_LIST
        else:
            shown = self._newest.get((event.user, event.item_id)) if event.user else None
            if shown is None:
                return None, ORGANIC
        if event.item_id not in shown.served.item_ids:
            return shown, OTHER_ITEM
        place = shown.served.item_ids.index(event.item_id)
        if not self._displayed and place >= self._config.places:
            return shown, BEYOND
        if event.received < shown.served.received:
            return shown, EARLY
        if event.received - shown.served.received > self._window:
            return shown, LATE
        if impression:
            if event.item_id in shown.impressions:
                return shown, REPEATED
            shown.impressions[event.item_id] = event
            return shown, SHOWN
        items = shown.happened.setdefault(event.event, set())
        if event.item_id in items:
            return shown, REPEATED
        items.add(event.item_id)
        return shown, LABEL

    def finish(self, since: float | None, end: float) -> Joined:
        """Settles what only the end of the log, unix seconds, can tell."""
        for shown in self._lists:
            if shown.rejected is None and since is not None and shown.served.received < since:
                shown.rejected = TOO_OLD
            if shown.rejected is None and self._displayed and not shown.impressions:
                shown.rejected = NOT_DISPLAYED
            if shown.rejected is None and shown.served.received + self._window > end:
                shown.rejected = UNFINISHED
        settled = [
            (event, self._settled(event, outcome, shown))
            for event, outcome, shown in self._outcomes
        ]
        return Joined(
            self._lists,
            self._histories,
            self._displayed,
            Counter(shown.rejected or KEPT for shown in self._lists),
            Counter(outcome for _, outcome in settled),
            [(event, outcome) for event, outcome in settled if outcome not in USED_EVENTS],
        )

    def _settled(self, event: ShopperEvent, outcome: str, shown: ShownList | None) -> str:
        """Returns what became of an event, now that it is known which lists are examples."""
        if outcome not in USED_EVENTS or shown is None:
            return outcome
        if shown.rejected is not None:
            return ON_REJECTED
        if outcome == LABEL and self._displayed and event.item_id not in shown.impressions:
            # The page did not report it as seen, so it is no example to learn from.
            shown.happened[event.event].discard(event.item_id)
            return BEYOND
        return outcome
