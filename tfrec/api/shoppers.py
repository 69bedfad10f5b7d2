"""Real shoppers of a data set, to ask recommendations for and to compare with what they did."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories
from tfrec.display import Displayed
from tfrec.errors import UserError

SHOWN = 8
"""Events of a shopper that are shown."""


@dataclass(frozen=True, repr=False)
class Shopper(Displayed):
    """A shopper of a split, as he stood when its period began.

    Attributes:
        user: salted hash of the user id.
        history: his events until then, oldest first: columns `item_id`, `title`, `event`,
            `timestamp` and `price`, the catalogue's.
        later: what he did in the period, with the same columns.
        context: the context of his last event, such as ``{"country": "France"}``.
    """

    user: str
    history: pd.DataFrame
    later: pd.DataFrame
    context: dict[str, str]

    def renderables(self) -> list[Table]:
        """Returns the last events, newest first."""
        context = "".join(f", {name} {value}" for name, value in self.context.items() if value)
        hidden = len(self.history) - SHOWN
        table = Table(
            title=f"Shopper {self.user[:8]}: {len(self.history):,} events{context}",
            caption=f"and {hidden:,} earlier events" if hidden > 0 else None,
            box=box.SIMPLE_HEAD,
            title_justify="left",
            caption_justify="left",
        )
        for name, justify in (("date", "left"), ("event", "left"), ("item", "left")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("title", overflow="fold")
        table.add_column("price", justify="right")
        for event in self.history.tail(SHOWN).iloc[::-1].itertuples():
            date = "" if pd.isna(event.timestamp) else f"{event.timestamp:%Y-%m-%d}"
            price = "" if np.isnan(event.price) else f"{event.price:,.2f}"
            cells = (date, event.event, event.item_id, event.title, price)
            table.add_row(*(Text(cell) for cell in cells))
        return [table]


def find_shoppers(
    dataset: PreparedDataset,
    split: str = "test",
    *,
    word: str = "",
    fewest: int = 1,
    most: int | None = None,
    count: int = 5,
) -> list[Shopper]:
    """Returns shoppers of a split, the same ones each time.

    Args:
        dataset: the prepared data set.
        split: ``"valid"`` or ``"test"`` for shoppers with a later period to compare with, or
            ``"train"``.
        word: those come first in whose history the largest share of titles holds this word;
            without it, they come in the order of the data set.
        fewest: fewest events of a history.
        most: most events of a history.
        count: how many shoppers at most.

    Raises:
        UserError: if there is no such split, or nobody has as many events.
    """
    histories = dataset.histories(split)
    lengths = histories.lengths
    chosen = np.flatnonzero((lengths >= fewest) & (lengths <= (most or lengths.max(initial=0))))
    if not len(chosen):
        wanted = f"{fewest} to {most}" if most else f"{fewest} or more"
        raise UserError(
            f"no shopper of the split {split} has {wanted} events; the longest history has "
            f"{lengths.max(initial=0)}"
        )
    if word:
        titles = dataset.items["title"]
        with_word = titles.str.contains(word, case=False, regex=False).to_numpy(np.float64)
        # Shoppers without events have no titles, and so no share of them.
        share = [
            with_word[histories.item[histories.history(int(row))] - 1].mean()
            if lengths[row]
            else 0.0
            for row in chosen
        ]
        chosen = chosen[np.argsort(-np.array(share), kind="stable")]
    return [_shopper(dataset, histories, int(row)) for row in chosen[:count]]


def _shopper(dataset: PreparedDataset, histories: Histories, row: int) -> Shopper:
    past, coming = histories.history(row), histories.targets(row)
    vocabularies = dataset.manifest.context_vocabularies
    context = {}
    for name, values in histories.context.items():
        value = int(values[past][-1]) if past.stop > past.start else 0
        context[name] = vocabularies[name][value - 1] if value else ""
    return Shopper(
        user=str(histories.user[row]),
        history=_events(
            dataset, histories.item[past], histories.event[past], histories.timestamp[past]
        ),
        later=_events(
            dataset,
            histories.target_item[coming],
            histories.target_event[coming],
            histories.target_timestamp[coming],
        ),
        context=context,
    )


def _events(
    dataset: PreparedDataset, items: np.ndarray, events: np.ndarray, timestamps: np.ndarray
) -> pd.DataFrame:
    rows = dataset.items.iloc[items - 1]
    return pd.DataFrame(
        {
            "item_id": rows["item_id"].to_numpy(),
            "title": rows["title"].to_numpy(),
            "event": [dataset.event_types[event - 1] for event in events],
            # 0 stands for a log without times.
            "timestamp": pd.to_datetime(pd.Series(timestamps).where(timestamps > 0), unit="s"),
            "price": rows["price"].to_numpy(np.float64),
        }
    )
