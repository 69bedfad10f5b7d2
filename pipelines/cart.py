"""Asks a server what completes a basket."""

from pathlib import Path

import click

from pipelines.asking import ask, asking_options, note_skipped, show, split_ids
from pipelines.running import run


@click.command()
@asking_options
@click.option("--basket", required=True, metavar="ID,ID,…", help="Items in the basket.")
@click.option("--exclude", metavar="ID,ID,…", default="", help="Items that must not be shown.")
def command(
    server: str,
    server_ca: Path | None,
    basket: str,
    exclude: str,
    k: int,
    as_json: bool,
    timeout: float,
) -> None:
    """Ask a server what completes a basket."""
    with ask(server, server_ca, timeout) as client:
        answer = client.cart(split_ids(basket), k=k, exclude=split_ids(exclude))
    note_skipped(answer.unknown)
    show(answer, k=k, as_json=as_json, title="Goes with the basket")


if __name__ == "__main__":
    run(command)
