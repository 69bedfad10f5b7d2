"""Asks a server for a shopper's home page."""

import json
from pathlib import Path
from typing import Any

import click

from pipelines.asking import (
    as_json_row,
    ask,
    ca_option,
    note_skipped,
    server_option,
    show,
    split_ids,
    timeout_option,
)
from pipelines.options import json_option
from pipelines.running import run
from serving.client import HomePage, Shelf
from tfrec.errors import UserError

TITLES = {
    "for_you": "For you",
    "because_of": "Because of {reason}",
    "new_for_you": "New for you",
    "trending": "Trending in your categories",
    "buy_again": "Buy again",
    "other_categories": "Something else",
}


@click.command()
@server_option
@ca_option
@click.option(
    "--history", default="", metavar="ID,ID,…", help="Items of the shopper, oldest first."
)
@click.option("--events", metavar="NAME,NAME,…", help="What the shopper did with each.")
@click.option("--timestamps", metavar="T,T,…", help="When, in unix seconds.")
@click.option("--now", type=int, metavar="T", help="Unix time of the page; that of the last event.")
@click.option("--exclude", metavar="ID,ID,…", default="", help="Items that must not be shown.")
@json_option
@timeout_option
def command(
    server: str,
    server_ca: Path | None,
    history: str,
    events: str | None,
    timestamps: str | None,
    now: int | None,
    exclude: str,
    as_json: bool,
    timeout: float,
) -> None:
    """Ask a server for a shopper's home page.

    It is several shelves in one call, and no product stands twice.
    """
    with ask(server, server_ca, timeout) as client:
        page = client.home(
            split_ids(history),
            None if events is None else split_ids(events),
            None if timestamps is None else _times(timestamps),
            now=now,
            exclude=split_ids(exclude),
        )
    note_skipped(page.unknown)
    if as_json:
        click.echo(json.dumps(_as_json(page), ensure_ascii=False, indent=2))
        return
    for shelf in page:
        if not shelf.items:
            click.echo(f"note: the shelf {shelf.kind} is left out", err=True)
            continue
        show(shelf.items, k=len(shelf.items), as_json=False, title=_title(shelf))
        if shelf.fillers:
            click.echo(f"note: the last {shelf.fillers} of {shelf.kind} fill gaps", err=True)


def _times(text: str) -> list[int]:
    try:
        return [int(moment) for moment in split_ids(text)]
    except ValueError as error:
        raise UserError(f"--timestamps should be whole seconds, not {text!r}") from error


def _title(shelf: Shelf) -> str:
    reason = shelf.reason_title or shelf.reason_item_id or ""
    return TITLES.get(shelf.kind, shelf.kind).format(reason=reason)


def _as_json(page: HomePage) -> list[dict[str, Any]]:
    return [
        {
            "shelf": shelf.kind,
            "state": shelf.state,
            "reason_item_id": shelf.reason_item_id,
            "fillers": shelf.fillers,
            "items": [as_json_row(item) for item in shelf.items],
        }
        for shelf in page
    ]


if __name__ == "__main__":
    run(command)
