"""The view of real recommendations: what ten shoppers, always the same, would be shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tfrec.evaluation.cases import Cases
from tfrec.monitoring.training.event_log import EventLog
from tfrec.monitoring.training.monitor import View
from tfrec.monitoring.training.observer import ValidationReport

SHOPPERS = 10
ROWS = 10


@dataclass(frozen=True)
class Shopper:
    """A shopper whose recommendations are shown.

    Attributes:
        history: item indices, latest first, at most `ROWS`.
        events: number of events in the whole history.
        bought: item indices that came after.
        is_new: whether training knows nothing of the shopper.
    """

    history: list[int]
    events: int
    bought: frozenset[int]
    is_new: bool


def choose_shoppers(cases: Cases, count: int = SHOPPERS) -> np.ndarray:
    """Returns int64 `[count]`, positions in `cases` from the shortest history to the longest.

    One shopper without a history, if there is one: all of them are shown the same.
    """
    lengths = cases.histories.lengths
    order = np.lexsort((cases.histories.user, lengths))
    without = order[lengths[order] == 0][:1]
    others = order[lengths[order] > 0]
    wanted = min(count - len(without), len(others))
    places = np.linspace(0, len(others) - 1, wanted)
    return np.concatenate([without, others[np.round(places).astype(np.int64)]])


def shoppers_of(cases: Cases, positions: np.ndarray) -> list[Shopper]:
    """Returns the shoppers at `positions` in `cases`."""
    found = []
    for place in positions:
        past = cases.histories.item[cases.histories.history(place)]
        first, last = cases.target_offsets[place], cases.target_offsets[place + 1]
        found.append(
            Shopper(
                history=past[::-1][:ROWS].tolist(),
                events=len(past),
                bought=frozenset(cases.target_item[first:last].tolist()),
                is_new=bool(cases.new_shopper[place]),
            )
        )
    return found


def item_names(items: pd.DataFrame) -> list[str]:
    """Returns how items are called in Markdown, by item index; index 0 is empty."""
    names = [""]
    for item_id, title in zip(items["item_id"], items["title"], strict=True):
        known = isinstance(title, str) and title.strip()
        text = f"{title.strip()} ({item_id})" if known else str(item_id)
        names.append(_escaped(text))
    return names


class ExamplesView(View):
    """Writes history and recommendations of each shopper as a table, at every validation.

    Args:
        log: where to write.
        shoppers: whose.
        names: names of the items, by item index.
        lists: returns int `[shoppers, k]`, what each would be shown now, 0 pads.
    """

    def __init__(
        self,
        log: EventLog,
        shoppers: Sequence[Shopper],
        names: Sequence[str],
        lists: Callable[[], np.ndarray],
    ) -> None:
        self._log = log
        self._shoppers = shoppers
        self._names = names
        self._lists = lists

    def validated(self, report: ValidationReport) -> None:
        """Writes ``recommendations/shopper_…``."""
        for number, (shopper, shown) in enumerate(
            zip(self._shoppers, self._lists(), strict=True), start=1
        ):
            text = recommendation_table(shopper, shown, self._names)
            self._log.text(f"recommendations/shopper_{number:02d}", text, report.step)


def recommendation_table(shopper: Shopper, shown: np.ndarray, names: Sequence[str]) -> str:
    """Returns Markdown: what the shopper had, what is recommended, and what was right.

    Args:
        shopper: the shopper.
        shown: int `[k]`, recommended items, best first, 0 pads; the first `ROWS` are shown.
        names: names of the items, by item index.
    """
    recommended = [int(item) for item in shown[:ROWS] if item]
    hits = sum(item in shopper.bought for item in recommended)
    lines = [
        f"**{hits} of {len(recommended)} right** ({len(shopper.bought)} products came after) · "
        f"{'new shopper' if shopper.is_new else 'known shopper'}, {shopper.events} events before",
        "",
        "| | had, latest first | recommended | came |",
        "|---|---|---|---|",
    ]
    for row in range(max(len(shopper.history), len(recommended))):
        had = names[shopper.history[row]] if row < len(shopper.history) else ""
        if row < len(recommended):
            item = recommended[row]
            right = item in shopper.bought
            name = f"**{names[item]}**" if right else names[item]
            lines.append(f"| {row + 1} | {had} | {name} | {'✔' if right else ''} |")
        else:
            lines.append(f"| {row + 1} | {had} | | |")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    for character in "\\|*_`[]<>":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
