"""The event log of an A/B test that never was, from lists and from what shoppers really took."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tfrec.monitoring.live.event_log import CLICK, SERVED, LogLine, ServedList, ShopperEvent

SECONDS_TO_CLICK = 5.0
TAKEN = (CLICK, "purchase")


@dataclass(frozen=True)
class SimulatedShopper:
    """A shopper of a test.

    Attributes:
        user: hash of the user id, 16 or more hexadecimal digits.
        a: items that he is shown in the arm A, the first place first.
        b: the same in the arm B.
        wanted: items that he goes on to take if he is shown them.
        before: items that he bought before the test, with unix seconds.
    """

    user: str
    a: Sequence[str]
    b: Sequence[str]
    wanted: frozenset[str]
    before: Sequence[tuple[str, float]] = field(default=())

    def in_b(self, share: float) -> bool:
        """Says whether the hash of the shopper puts him in B, which gets a share of them all."""
        return int(self.user[8:16], 16) / 2**32 < share


def simulated_lines(
    shoppers: Sequence[SimulatedShopper],
    start: float,
    share_of_b: float = 0.5,
    seconds_apart: float = 60.0,
) -> Iterator[LogLine]:
    """Yields what a gateway would have written about a test, A as version 1 and B as version 2.

    Each shopper comes once and is shown one list; he clicks on and buys each item of it that he
    wants, and nothing else.

    Args:
        shoppers: who comes, in this order.
        start: unix seconds of the first visit.
        share_of_b: share of the shoppers who are shown the lists of B.
        seconds_apart: time between two visits.
    """
    for number, shopper in enumerate(shoppers):
        time = start + seconds_apart * number
        in_b = shopper.in_b(share_of_b)
        items = list(shopper.b if in_b else shopper.a)
        version = 2 if in_b else 1
        list_id = f"{version}-{number:016x}"
        yield ServedList(
            event=SERVED,
            time=time,
            received=time,
            user=shopper.user,
            recommendation_id=list_id,
            model_version=version,
            item_ids=items,
        )
        for item, when in shopper.before:
            yield ShopperEvent(
                event="purchase", item_id=item, time=when, received=when, user=shopper.user
            )
        for place, item in enumerate(items):
            if item in shopper.wanted:
                for event in TAKEN:
                    moment = time + SECONDS_TO_CLICK + place
                    yield ShopperEvent(
                        event=event,
                        item_id=item,
                        time=moment,
                        received=moment,
                        user=shopper.user,
                        recommendation_id=list_id,
                        model_version=version,
                    )
