"""Asks a server for items that fit a text."""

from pathlib import Path

import click

from pipelines.asking import ask, asking_options, show, split_ids
from pipelines.running import run


@click.command()
@asking_options
@click.option("--query", required=True, metavar="TEXT", help="Words to look for.")
@click.option(
    "--history", metavar="ID,ID,…", default="", help="Items of the shopper, oldest first."
)
def command(
    server: str,
    server_ca: Path | None,
    query: str,
    history: str,
    k: int,
    as_json: bool,
    timeout: float,
) -> None:
    """Ask a server for items that fit a text."""
    with ask(server, server_ca, timeout) as client:
        answer = client.search(query, split_ids(history), k=k)
    show(answer, k=k, as_json=as_json, title=f"Items for “{query}”")


if __name__ == "__main__":
    run(command)
