"""Asks a server what a shopper may want next."""

from pathlib import Path

import click

from pipelines.asking import ask, asking_options, note_skipped, show, split_ids
from pipelines.running import run
from tfrec.errors import UserError


@click.command()
@asking_options
@click.option(
    "--history",
    required=True,
    metavar="ID,ID,…",
    help='Items of the shopper, oldest first; "" for one who has done nothing yet.',
)
@click.option("--events", metavar="EVENT,EVENT,…", help="What was done with each item.")
@click.option("--exclude", metavar="ID,ID,…", default="", help="Items that must not be shown.")
@click.option(
    "--context", multiple=True, metavar="NAME=VALUE", help="A context feature; may be repeated."
)
@click.option(
    "--model",
    type=click.Choice(["recommender", "retrieval"]),
    default="recommender",
    show_default=True,
    help="With ranking and display order, or retrieval alone.",
)
@click.option(
    "--surface", metavar="NAME", help="A named display order (display.surfaces) of the export."
)
def command(
    server: str,
    server_ca: Path | None,
    history: str,
    events: str | None,
    exclude: str,
    context: tuple[str, ...],
    model: str,
    surface: str | None,
    k: int,
    as_json: bool,
    timeout: float,
) -> None:
    """Ask a server what a shopper may want next."""
    with ask(server, server_ca, timeout) as client:
        answer = client.recommend(
            split_ids(history),
            split_ids(events) if events else None,
            k=k,
            exclude=split_ids(exclude),
            context=_pairs(context),
            model=model,
            surface=surface,
        )
    note_skipped(answer.unknown)
    show(answer, k=k, as_json=as_json, title="Recommendations")


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--context should be NAME=VALUE, such as country=France, not {text!r}")
        pairs[name] = value
    return pairs


if __name__ == "__main__":
    run(command)
