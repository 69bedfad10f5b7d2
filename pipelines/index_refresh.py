"""Adds new products to the exported models, without training."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.console import count_table, table_console
from pipelines.options import path_option
from pipelines.running import run
from tfrec.config import load_config

if TYPE_CHECKING:
    from tfrec.export.refresh import Refreshed


@click.command()
@path_option(
    "--models", metavar="DIR", help="Models folder that `tfrec export` wrote.", required=True
)
@click.option(
    "--items",
    required=True,
    metavar="PATH",
    help="Catalogue of new and changed products: a file or a quoted glob of files.",
)
@path_option(
    "--config",
    metavar="YAML",
    help="Take those of the sections `data`, `display`, `surfaces`, `evaluation` and `export` that "
    "it names from here, not from the models.",
)
def command(models: Path, items: str, config: Path | None) -> None:
    """Add new products to the exported models, without training.

    Only texts that are new are read by BERT. The new version knows the new products by search, by
    similarity and in recommendations; known products take over the file's titles, prices and
    availability, and products that the file does not name stay as they are.
    """
    settings = None if config is None else load_config(config)
    from tfrec.export.refresh import refresh_index

    refreshed = refresh_index(models, items, settings)
    _print(refreshed)
    if refreshed.rejects is not None:
        click.echo(f"Rejected rows are in {refreshed.rejects}.")
    if refreshed.exported is None:
        click.echo(f"Nothing changed, so the models in {models} stay as they are.")
    else:
        click.echo(f"Version {refreshed.exported.version} is in {models}.")


def _print(refreshed: "Refreshed") -> None:
    counts = (
        ("items before", refreshed.items_before),
        ("items after", refreshed.items_after),
        ("rows in the file", refreshed.rows_in),
        ("  new items", refreshed.new),
        ("  known items, changed", refreshed.changed),
        ("  known items, unchanged", refreshed.unchanged),
        ("  rejected", sum(refreshed.rejected.values())),
        *((f"    {reason}", count) for reason, count in refreshed.rejected.items()),
        ("texts encoded", refreshed.encoded),
    )
    table_console().print(count_table("Items", counts))


if __name__ == "__main__":
    run(command)
