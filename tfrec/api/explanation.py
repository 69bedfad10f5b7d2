"""Explains a score: what it would be without each item of the history."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.api.local_models import LocalModels
from tfrec.api.questions import AskedHistory
from tfrec.display import Displayed
from tfrec.errors import UserError
from tfrec.progress import progress

MOST_ITEMS = 200
"""Items of a history that are tried; the latest ones, where there are more."""
SHOWN = 8
WORTH_A_WORD = 0.01
"""Share of the score below which an item did not move it."""
_BATCH = 32


@dataclass(frozen=True)
class Influence:
    """What one item of the history does to the score of another.

    Attributes:
        item_id: the item of the history.
        title: its name.
        event: the last thing that the shopper did with it; "" where not known.
        date: when, as ``2011-11-03``; "" where not known.
        without: the score if the shopper had never had the item.
        effect: the score less `without`: above 0, the item speaks for the recommendation.
    """

    item_id: str
    title: str
    event: str
    date: str
    without: float
    effect: float


@dataclass(frozen=True, repr=False)
class Explanation(Displayed):
    """Why an item has its score.

    Attributes:
        item_id: the item.
        title: its name.
        score: its score, that of `Recommender.recommend`.
        influences: the items of the history, those that moved the score furthest first.
    """

    item_id: str
    title: str
    score: float
    influences: list[Influence]

    @property
    def sentence(self) -> str:
        """What moved the score, in words."""
        start = f"“{self.title}” scores {self.score:.4f}"
        if not self.influences:
            return f"{start} for a shopper without a history, as it would for any other."
        moved = [one for one in self.influences if self._share(one) >= WORTH_A_WORD]
        forward = [one for one in moved if one.effect > 0]
        against = [one for one in moved if one.effect < 0]
        if not moved:
            return (
                f"{start}, and no single item of the history moves that by "
                f"{WORTH_A_WORD:.0%} or more: it follows from the history as a whole."
            )
        words = f"{start}."
        if forward:
            first = forward[0]
            words += (
                f" Most of all because of {self._name(first)}: without it the score would be "
                f"{first.without:.4f}, {self._share(first):.0%} lower."
            )
        if forward[1:]:
            others = " and ".join(
                f"{self._name(one)} ({self._share(one):.0%})" for one in forward[1:3]
            )
            words += f" Also because of {others}."
        if against:
            worst = against[0]
            words += (
                f" Against it speaks {self._name(worst)}: without it the score would be "
                f"{self._share(worst):.0%} higher."
            )
        return words

    def renderables(self) -> list[Text | Table]:
        """Returns the sentence, and the items that moved the score furthest."""
        parts: list[Text | Table] = [Text(self.sentence)]
        if not self.influences:
            return parts
        hidden = len(self.influences) - SHOWN
        table = Table(
            title=f"What moved the score of {self.title} ({self.item_id})",
            caption=f"and {hidden} more items, which moved it less" if hidden > 0 else None,
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("item", no_wrap=True)
        table.add_column("title", overflow="fold")
        table.add_column("last event")
        table.add_column("score without it", justify="right")
        table.add_column("effect", justify="right")
        for one in self.influences[:SHOWN]:
            last = " ".join(part for part in (one.event, one.date) if part)
            share = np.sign(one.effect) * self._share(one)
            cells = (one.item_id, one.title, last, f"{one.without:.4f}", f"{share:+.1%}")
            table.add_row(*(Text(cell) for cell in cells))
        return [*parts, table]

    def _share(self, influence: Influence) -> float:
        return abs(influence.effect) / max(abs(self.score), 1e-12)

    def _name(self, influence: Influence) -> str:
        last = ", ".join(part for part in (influence.event, influence.date) if part)
        if influence.item_id == self.item_id:
            return f"its own earlier orders ({last})" if last else "its own earlier orders"
        return f"“{influence.title}” ({last})" if last else f"“{influence.title}”"


def explain(models: LocalModels, item_id: str, history: AskedHistory) -> Explanation:
    """Returns what the score of an item would be without each item of the history.

    One item after the other is left out with all of its events and the ranking model asked again
    (leave one out, as in the occlusion of Zeiler and Fergus, 2014). Effects need not add up to the
    score: items that say the same stand in for each other.

    Args:
        models: the models.
        item_id: the item to explain.
        history: the shopper's history.

    Raises:
        UserError: if the item is not in the catalogue.
    """
    if not models.known([item_id]):
        raise UserError(f"the item {item_id} is not in the catalogue; check the id")
    last = {item: place for place, item in enumerate(history.items)}
    tried = sorted(models.known(list(last)), key=last.__getitem__)[-MOST_ITEMS:]
    scores = _scores(models, item_id, [history, *(history.without(item) for item in tried)])
    influences = [
        Influence(
            item_id=item,
            title=models.title(item),
            event=history.events[last[item]],
            date=_date(history.timestamps[last[item]]),
            without=float(without),
            effect=float(scores[0] - without),
        )
        for item, without in zip(tried, scores[1:], strict=True)
    ]
    influences.sort(key=lambda one: -abs(one.effect))
    return Explanation(item_id, models.title(item_id), float(scores[0]), influences)


def _scores(models: LocalModels, item_id: str, histories: list[AskedHistory]) -> np.ndarray:
    batches = [histories[start : start + _BATCH] for start in range(0, len(histories), _BATCH)]
    parts = []
    for batch in progress(batches, description="Explaining", unit="batch"):
        inputs = models.history_inputs(batch)
        inputs["candidate_item_id"] = [[item_id]] * len(batch)
        parts.append(models.ask("ranking", "serving_default", inputs)["score"][:, 0])
    return np.concatenate(parts).astype(np.float64)


def _date(timestamp: int) -> str:
    return f"{pd.Timestamp(timestamp, unit='s'):%Y-%m-%d}" if timestamp > 0 else ""
