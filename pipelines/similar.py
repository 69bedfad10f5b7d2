"""Asks a server for items like an item."""

from pathlib import Path

import click

from pipelines.asking import ask, asking_options, show
from pipelines.running import run


@click.command()
@asking_options
@click.option("--item", required=True, metavar="ID", help="The item.")
def command(
    server: str, server_ca: Path | None, item: str, k: int, as_json: bool, timeout: float
) -> None:
    """Ask a server for items like an item."""
    with ask(server, server_ca, timeout) as client:
        answer = client.similar(item, k=k)
        title = client.describe([item])[0].title
    show(answer, k=k, as_json=as_json, title=f"Items like {item} ({title})")


if __name__ == "__main__":
    run(command)
