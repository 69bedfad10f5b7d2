"""The last step of the demo: serves the exported models, asks by gRPC, and shows the answers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.errors import ClientError
from serving.model_folder import ModelFolderError
from serving.process import ServerStartError, start_server
from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.progress import progress

if TYPE_CHECKING:
    from serving.client import Recommendation, RecommenderClient
    from tfrec.data.sample.customers import Customer

Question = Callable[["RecommenderClient"], dict[str, Any]]

SHOWN = 8
SHOWN_OF_THE_PAST = 6
SEARCHES = ("christmas decorations", "retro lunch box")
THEME = "cake"
"""The brand-new shopper clicks on two products with this word in their names."""


def ask_everything(
    models: Path, sample: Path, moment: str | None, context_columns: Sequence[str], out: Path
) -> None:
    """Serves `models` on a free port, asks every question of the demo, and writes the answers.

    Args:
        models: exported models.
        sample: folder with ``events.parquet`` and ``items.parquet``.
        moment: start of the test period; what customers did from then on is not told to the
            models. None: there is no such period.
        context_columns: event columns that the models know as context.
        out: JSON file to write.

    Raises:
        UserError: if the models cannot be served or do not answer.
    """
    # Here, because pandas takes a second to import, and a run that reuses answers needs neither.
    import pandas as pd

    from serving.client import RecommenderClient
    from tfrec.data.sample.customers import best_sellers, choose_customers

    events = pd.read_parquet(sample / "events.parquet")
    items = pd.read_parquet(sample / "items.parquet")
    end = events["timestamp"].max() if moment is None else pd.Timestamp(moment).tz_localize(None)
    clicks = (best_sellers(events, items, THEME) or best_sellers(events, items))[:2]
    favourite = best_sellers(events, items)[0]
    titles = dict(zip(items["item_id"], items["title"].str.strip(), strict=True))
    questions = [
        *(
            _customer(customer, titles, context_columns)
            for customer in choose_customers(events, items, end)
        ),
        _new_shopper(clicks, titles),
        *(_search(query) for query in SEARCHES),
        _similar(favourite, titles[favourite]),
    ]
    with progress(description="Serving", total=len(questions) + 1, unit="answer") as bar:
        try:
            with start_server(models) as server, RecommenderClient(server.address) as client:
                bar.update(1)
                answers = []
                for question in questions:
                    answers.append(question(client))
                    bar.update(1)
        except (ClientError, ModelFolderError, ServerStartError) as error:
            raise UserError(str(error)) from error
    write_json(out, {"moment": f"{end:%Y-%m-%d}", "answers": answers})


def show_answers(path: Path, console: Console) -> None:
    """Prints the answers that `ask_everything` wrote.

    Raises:
        UserError: if the file is missing or damaged.
    """
    for answer in read_json(path)["answers"]:
        console.print()
        console.print(Text(answer["heading"], style="bold"), Text(answer["about"]), sep="\n")
        if answer.get("past"):
            console.print(_past_table(answer["past"]))
        console.print(_answer_table(answer))


def _customer(
    customer: "Customer", titles: Mapping[str, str], context_columns: Sequence[str]
) -> Question:
    past = customer.history
    items = past["item_id"].tolist()
    context = {column: str(past[column].iloc[-1]) for column in context_columns}

    def ask(client: "RecommenderClient") -> dict[str, Any]:
        found = client.recommend(
            items,
            past["event"].tolist(),
            (past["timestamp"].astype("datetime64[s]").astype("int64")).tolist(),
            k=SHOWN,
            exclude=() if customer.buys_again else sorted(set(items)),
            context=context,
        )
        rows = [_row(item) for item in found]
        for row in rows:
            row["had_before"] = row["item_id"] in set(items)
            row["ordered_then"] = row["item_id"] in customer.later
        last = past.tail(SHOWN_OF_THE_PAST).iloc[::-1]
        return {
            "heading": f"{customer.kind} ({customer.country})",
            "about": customer.why,
            "past": [
                {
                    "date": f"{event.timestamp:%Y-%m-%d}",
                    "event": event.event,
                    "title": titles.get(event.item_id, event.item_id),
                    "quantity": int(event.quantity),
                    "price": float(event.price),
                }
                for event in last.itertuples()
            ],
            "title": "Recommendations"
            if customer.buys_again
            else "Recommendations, new products only",
            "items": rows,
        }

    return ask


def _new_shopper(clicks: Sequence[str], titles: Mapping[str, str]) -> Question:
    return lambda client: {
        "heading": "A brand-new shopper after two clicks",
        "about": " and ".join(f"{titles[item]} ({item})" for item in clicks),
        "title": "Recommendations",
        "items": [_row(item) for item in client.recommend(clicks, k=SHOWN, exclude=clicks)],
    }


def _search(query: str) -> Question:
    return lambda client: {
        "heading": f"Search: “{query}”",
        "about": "by what the words mean, as BERT reads them",
        "title": "Found",
        "items": [_row(item) for item in client.search(query, k=SHOWN)],
    }


def _similar(item: str, title: str) -> Question:
    return lambda client: {
        "heading": f"Similar to {title} ({item})",
        "about": "the product in most orders of all",
        "title": "Similar items",
        "items": [_row(item) for item in client.similar(item, k=SHOWN)],
    }


def _row(item: "Recommendation") -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "title": item.title,
        "price": item.price,
        "score": item.score,
        "reason_item_id": item.reason_item_id,
        "reason": item.reason_title,
    }


def _past_table(past: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("The last things in their orders, newest first")
    table.add_column("date", no_wrap=True)
    table.add_column("")
    table.add_column("product", overflow="fold")
    table.add_column("units", justify="right")
    table.add_column("unit price", justify="right")
    for line in past:
        table.add_row(
            line["date"],
            Text(line["event"]),
            Text(line["title"]),
            f"{line['quantity']:,}",
            _pounds(line["price"]),
        )
    return table


def _answer_table(answer: Mapping[str, Any]) -> Table:
    items = answer["items"]
    table = _table(answer["title"])
    table.add_column("", justify="right")
    table.add_column("item", no_wrap=True)
    table.add_column("product", overflow="fold")
    table.add_column("price", justify="right")
    extra: dict[str, Callable[[Mapping[str, Any]], str]] = {}
    if any(item.get("had_before") for item in items):
        extra["had before"] = lambda item: "yes" if item["had_before"] else ""
    if any(item["reason"] for item in items):
        extra["because of"] = _reason
    if any("ordered_then" in item for item in items):
        extra["then"] = lambda item: "✓ ordered" if item["ordered_then"] else ""
        hits = sum(item["ordered_then"] for item in items)
        table.caption = f"{hits} of {len(items)} were in this customer's later orders"
        table.caption_justify = "left"
    for name in extra:
        table.add_column(name, overflow="fold")
    for rank, item in enumerate(items, 1):
        cells = [str(rank), item["item_id"], item["title"] or "", _pounds(item["price"])]
        # Titles are data: a `[bold]` in one should be shown, not obeyed.
        table.add_row(*(Text(cell) for cell in cells + [show(item) for show in extra.values()]))
    return table


def _reason(item: Mapping[str, Any]) -> str:
    if item["reason_item_id"] == item["item_id"]:
        return "its earlier orders"
    return item["reason"] or ""


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="italic", box=box.SIMPLE_HEAD)


def _pounds(price: float | None) -> str:
    return "" if price is None else f"£{price:,.2f}"
