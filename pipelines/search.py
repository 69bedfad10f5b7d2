"""Asks a server for items that fit a text."""

from pathlib import Path

import click

from pipelines.asking import ask, asking_options, show, split_ids
from pipelines.running import run

LONGEST_TITLE = 100
"""Characters of a query that are repeated above its answer."""


@click.command()
@asking_options
@click.option("--query", required=True, metavar="TEXT", help="Words to look for.")
@click.option(
    "--history", metavar="ID,ID,…", default="", help="Items of the shopper, oldest first."
)
@click.option(
    "--category", multiple=True, metavar="NAME", help="Only this category; several: any of them."
)
@click.option("--price-from", type=float, metavar="PRICE", help="Only this price and above.")
@click.option("--price-to", type=float, metavar="PRICE", help="Only this price and below.")
@click.option("--include-sold-out", is_flag=True, help="Show what is not available, too.")
def command(
    server: str,
    server_ca: Path | None,
    query: str,
    history: str,
    category: tuple[str, ...],
    price_from: float | None,
    price_to: float | None,
    include_sold_out: bool,
    k: int,
    as_json: bool,
    timeout: float,
) -> None:
    """Ask a server for items that fit a text."""
    with ask(server, server_ca, timeout) as client:
        answer = client.search(
            query,
            split_ids(history),
            k=k,
            categories=category,
            price_from=price_from,
            price_to=price_to,
            include_sold_out=include_sold_out,
        )
    if not answer and (category or price_from is not None or price_to is not None):
        click.echo(
            "note: no item passes the filters; check the names of categories and the prices",
            err=True,
        )
    shown = query if len(query) <= LONGEST_TITLE else f"{query[: LONGEST_TITLE - 1]}…"
    show(answer, k=k, as_json=as_json, title=f"Items for “{shown}”")


if __name__ == "__main__":
    run(command)
