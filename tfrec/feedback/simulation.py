"""The event log of a shop whose shoppers' eyes and tastes are known, to test estimates on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfrec.monitoring.live.event_log import CLICK, SERVED, LogLine, ServedList, ShopperEvent

SECONDS_APART = 60.0
SECONDS_TO_CLICK = 5.0


@dataclass(frozen=True)
class SimulatedLog:
    """Lists that were shown, and what was clicked.

    Attributes:
        items: int64 `[lists, depth]`, the items in display order; those after the first places
            by score.
        scores: float64 `[lists, depth]`, what the model that made the lists said of them.
        clicks: bool `[lists, places]`.
        attraction: float64 `[lists, num_items]`, the true chance of a click on what is looked at.
    """

    items: np.ndarray
    scores: np.ndarray
    clicks: np.ndarray
    attraction: np.ndarray

    def lines(self, start: float, shoppers: int, *, count: int | None = None) -> Iterator[LogLine]:
        """Yields what a gateway would have written about version 1 of a model.

        Args:
            start: unix seconds of the first list.
            shoppers: how many come, one after another and then again.
            count: items that were asked for, at least as many as there are places; None for all.
        """
        for row, (items, scores) in enumerate(zip(self.items, self.scores, strict=True)):
            time = start + SECONDS_APART * row
            user, name = f"{row % shoppers:016x}", f"1-{row:016x}"
            yield ServedList(
                event=SERVED,
                time=time,
                received=time,
                user=user,
                recommendation_id=name,
                model_version=1,
                item_ids=[f"item-{item}" for item in items[:count]],
                scores=scores[:count].tolist(),
            )
            for place in np.flatnonzero(self.clicks[row]):
                moment = time + SECONDS_TO_CLICK + float(place)
                yield ShopperEvent(
                    event=CLICK,
                    item_id=f"item-{items[place]}",
                    time=moment,
                    received=moment,
                    user=user,
                    recommendation_id=name,
                )


def explored_order(
    scores: np.ndarray, places: int, share: float, random: np.random.Generator
) -> np.ndarray:
    """Returns columns in display order, int64 `[lists, depth]`, some places left to chance.

    Args:
        scores: float `[lists, depth]`.
        places: how many places are arranged; the others follow by score.
        share: probability that a place is left to chance.
        random: whose chance it is.
    """
    lists, depth = scores.shape
    noise = random.random((lists, depth))
    chance = random.random((lists, places)) < share
    order = np.zeros((lists, depth), np.int64)
    left = np.array(scores, dtype=np.float64)
    rows = np.arange(lists)
    for place in range(places):
        best = np.argmax(left, axis=1)
        lucky = np.argmax(np.where(np.isneginf(left), -1.0, noise), axis=1)
        order[:, place] = np.where(chance[:, place], lucky, best)
        left[rows, order[:, place]] = -np.inf
    order[:, places:] = np.argsort(-left, axis=1, kind="stable")[:, : depth - places]
    return order


def simulate(
    attraction: np.ndarray,
    scores: np.ndarray,
    examination: np.ndarray,
    *,
    share: float,
    random: np.random.Generator,
) -> SimulatedLog:
    """Shows every shopper a list by the scores, and lets him click by the position-based model.

    Args:
        attraction: float `[lists, num_items]`, chance of a click on an item that is looked at.
        scores: float `[lists, num_items]`, of the model that makes the lists.
        examination: float `[places]`, chance that a place is looked at.
        share: probability that a place is left to chance.
        random: whose chance it is.
    """
    order = explored_order(scores, len(examination), share, random)
    places = order[:, : len(examination)]
    chance = np.take_along_axis(attraction, places, axis=1) * examination
    return SimulatedLog(
        order,
        np.take_along_axis(scores, order, axis=1),
        random.random(chance.shape) < chance,
        attraction,
    )
