"""Which shoppers of an event log are taken for robots, by rules that can be said in a sentence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tfrec.config import FeedbackConfig
from tfrec.monitoring.live.event_log import CLICK, IMPRESSION, LogLine, ServedList

HOUR = 3600.0
TOO_FAST = "robot: too many actions an hour"
TOO_KEEN = "robot: clicks on nearly everything"
TOO_REGULAR = "robot: acts like a clock"


@dataclass(frozen=True)
class Conduct:
    """What a shopper's lines say of his ways.

    Attributes:
        times: float64 `[actions]`, unix seconds of his lists and events, in any order;
            impressions are the page's doing, not his.
        shown: items of the lists that he was shown.
        clicked: how many of them he clicked.
    """

    times: np.ndarray
    shown: int
    clicked: int


def robot_reason(conduct: Conduct, config: FeedbackConfig) -> str | None:
    """Returns which rule takes a shopper for a robot, or None.

    The rules, in this order: more than `most_actions_an_hour` actions in some hour; at least
    `least_shown` items shown of which a share of `most_clicked` or more was clicked; at least
    `least_pauses` pauses whose median deviation from their median is below a share of
    `least_irregular` of it. Actions at one moment have no pause between them.

    Args:
        conduct: of one shopper.
        config: the limits.
    """
    times = np.sort(conduct.times)
    # The action `most` places earlier lies within the hour: one too many.
    most = config.most_actions_an_hour
    if len(times) > most and (times[most:] - times[:-most] <= HOUR).any():
        return TOO_FAST
    enough = conduct.shown >= config.least_shown
    if enough and conduct.clicked >= config.most_clicked * conduct.shown:
        return TOO_KEEN
    pauses = np.diff(times)
    pauses = pauses[pauses > 0]
    if len(pauses) >= config.least_pauses:
        median = float(np.median(pauses))
        if float(np.median(np.abs(pauses - median))) < config.least_irregular * median:
            return TOO_REGULAR
    return None


def find_robots(lines: Iterable[LogLine], config: FeedbackConfig) -> Mapping[str, str]:
    """Returns the reason by shopper, of the shoppers that are taken for robots.

    Who has no id cannot be judged and is none.

    Args:
        lines: the log.
        config: the limits, and how many items of a list count as shown.
    """
    times: dict[str, list[float]] = {}
    shown: dict[str, int] = {}
    clicked: dict[str, set[tuple[str | None, str]]] = {}
    for line in lines:
        if line.user is None:
            continue
        if isinstance(line, ServedList):
            shown[line.user] = shown.get(line.user, 0) + min(len(line.item_ids), config.places)
        elif line.event == IMPRESSION:
            continue
        elif line.event == CLICK and line.recommendation_id is not None:
            clicked.setdefault(line.user, set()).add((line.recommendation_id, line.item_id))
        times.setdefault(line.user, []).append(line.received)
    judged = (
        (user, Conduct(np.array(own), shown.get(user, 0), len(clicked.get(user, ()))))
        for user, own in times.items()
    )
    return {user: reason for user, conduct in judged if (reason := robot_reason(conduct, config))}
