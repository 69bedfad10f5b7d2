"""What moved a score, in a sentence, a table and a picture."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.display import Displayed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ITEMS = 200
"""Items of a history that are tried; the latest ones, where there are more."""
SHOWN = 8
WORTH_A_WORD = 0.01
"""Share of the score below which an item did not move it."""
DOTS_AN_INCH = 90


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
        words: words of its text that bring it near to the shopper, the strongest first; empty
            where it is not among the recommended items.
    """

    item_id: str
    title: str
    score: float
    influences: list[Influence]
    words: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        item_id: str,
        history: Sequence[tuple[str, str, str]],
        scores: Mapping[str, float],
        score: float,
        titles: Mapping[str, str],
        words: Sequence[str] = (),
    ) -> "Explanation":
        """Puts an explanation together.

        Args:
            item_id: the item.
            history: item id, event and date of every event, oldest first.
            scores: the item's score without each item that was left out.
            score: its score with all of them.
            titles: names of all these items.
            words: as the attribute.
        """
        last = {item: (event, date) for item, event, date in history}
        influences = [
            Influence(item, titles[item], *last[item], float(without), float(score - without))
            for item, without in scores.items()
        ]
        influences.sort(key=lambda one: -abs(one.effect))
        return cls(item_id, titles[item_id], float(score), influences, list(words))

    @property
    def sentence(self) -> str:
        """What moved the score, in words."""
        return " ".join(part for part in (self._about_history(), self._about_words()) if part)

    def _about_words(self) -> str:
        if not self.words:
            return ""
        named = " and ".join(f"“{word}”" for word in self.words)
        return f"Of its text, {named} {'speaks' if len(self.words) == 1 else 'speak'} for it."

    def _about_history(self) -> str:
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
                f" Most of all because of {self._name(first)}: without "
                f"{'them' if first.item_id == self.item_id else 'it'} the score would be "
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
                f" Against it {'speak' if worst.item_id == self.item_id else 'speaks'} "
                f"{self._name(worst)}: without "
                f"{'them' if worst.item_id == self.item_id else 'it'} the score would be "
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

    def figure(self) -> "Figure":
        """Draws how far the items that moved the score furthest moved it."""
        import matplotlib
        from matplotlib.figure import Figure

        shown = self.influences[:SHOWN][::-1]
        with matplotlib.rc_context({"figure.constrained_layout.use": True}):
            figure = Figure(figsize=(8.5, 1.3 + 0.34 * max(len(shown), 1)), dpi=DOTS_AN_INCH)
        axes = figure.subplots()
        places, effects = np.arange(len(shown)), [one.effect for one in shown]
        colours = ["tab:green" if effect > 0 else "tab:red" for effect in effects]
        axes.barh(places, effects, color=colours)
        # A dollar sign would start a formula.
        axes.set_yticks(places, [one.title[:48].replace("$", r"\$") for one in shown])
        axes.axvline(0.0, color="black", linewidth=0.8)
        title = f"What moved the score {self.score:.4f} of {self.title}".replace("$", r"\$")
        axes.set_title(title, loc="left", fontsize=10)
        words = f"; words: {', '.join(self.words)}".replace("$", r"\$") if self.words else ""
        axes.set_xlabel(f"score that goes with the item{words}")
        axes.grid(axis="x", alpha=0.3)
        return figure

    def _share(self, influence: Influence) -> float:
        return abs(influence.effect) / max(abs(self.score), 1e-12)

    def _name(self, influence: Influence) -> str:
        last = ", ".join(part for part in (influence.event, influence.date) if part)
        if influence.item_id == self.item_id:
            return f"its own earlier orders ({last})" if last else "its own earlier orders"
        return f"“{influence.title}” ({last})" if last else f"“{influence.title}”"


def tried_items(history: Sequence[str], known: Collection[str]) -> list[str]:
    """Returns the items of a history that are left out in turn, those of the last events.

    Args:
        history: item ids, oldest first.
        known: ids of the catalogue.
    """
    last = {item: place for place, item in enumerate(history) if item in known}
    return sorted(last, key=last.__getitem__)[-MOST_ITEMS:]
