"""What a recommender answers: items with titles, prices, scores and reasons."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.display import Displayed

EARLIER = "its earlier orders"


@dataclass(frozen=True)
class Recommendation:
    """One item of an answer.

    Attributes:
        item_id: the shop's own id.
        score: what the answer is ordered by; only comparable within one answer.
        title: the item's name.
        price: its price; None if not known.
        reason_item_id: the item of the history that speaks most for it; None where the model does
            not say.
        reason: that item's name, or that the shopper had this very item before.
        probabilities: by event type, such as ``{"purchase": 0.1}``; empty where the model does
            not say.
        reason_item_ids: the items of the history that speak for it, the strongest first.
        reason_words: the words of its text that do.
    """

    item_id: str
    score: float
    title: str
    price: float | None = None
    reason_item_id: str | None = None
    reason: str | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    reason_item_ids: tuple[str, ...] = ()
    reason_words: tuple[str, ...] = ()


class Recommendations(Displayed):
    """An answer: items, best first. It is iterated over, indexed and counted like a list.

    Args:
        items: the items, best first.
        title: what stands above the table.
        later: ids of items that the shopper is known to have bought later; they are ticked.
    """

    def __init__(
        self, items: list[Recommendation], title: str, later: Collection[str] | None = None
    ) -> None:
        self.items = items
        self.title = title
        self.later = later

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    def __getitem__(self, rank: int) -> Recommendation:
        return self.items[rank]

    @property
    def item_ids(self) -> list[str]:
        """The ids, best first."""
        return [item.item_id for item in self.items]

    def to_frame(self) -> pd.DataFrame:
        """Returns a row an item; the probabilities are columns ``probability_<event>``."""
        rows = []
        for item in self.items:
            row = asdict(item)
            chances = row.pop("probabilities")
            rows.append(row | {f"probability_{event}": p for event, p in chances.items()})
        return pd.DataFrame(rows)

    def renderables(self) -> list[Table]:
        """Returns the table; columns that would be empty are left out."""
        table = Table(
            title=self.title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD
        )
        table.add_column("", justify="right")
        table.add_column("item", no_wrap=True)
        table.add_column("title", overflow="fold")
        table.add_column("price", justify="right")
        table.add_column("score", justify="right")
        # A single event's probability is the score, or goes with it.
        chances = self.items[0].probabilities if self.items else {}
        for event in chances if len(chances) > 1 else ():
            table.add_column(f"P({event})", justify="right")
        more: dict[str, Callable[[Recommendation], str]] = {}
        if any(item.reason for item in self.items):
            more["because of"] = lambda item: item.reason or ""
        if any(item.reason_words for item in self.items):
            more["words"] = lambda item: ", ".join(item.reason_words)
        if self.later is not None:
            later = self.later
            more["then"] = lambda item: "✓ bought" if item.item_id in later else ""
            hits = sum(item.item_id in later for item in self.items)
            table.caption = f"{hits} of {len(self.items)} were bought later"
        for name in more:
            table.add_column(name, overflow="fold")
        for rank, item in enumerate(self.items, 1):
            cells = [
                str(rank),
                item.item_id,
                item.title,
                "" if item.price is None else f"{item.price:,.2f}",
                f"{item.score:.4f}",
                *(f"{p:.4f}" for p in item.probabilities.values() if len(chances) > 1),
                *(show(item) for show in more.values()),
            ]
            # Titles are data: a `[bold]` in one should be shown, not obeyed.
            table.add_row(*(Text(cell) for cell in cells))
        return [table]
