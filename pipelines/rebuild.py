"""Builds a published version again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.console import table_console
from pipelines.options import path_option
from pipelines.running import run

if TYPE_CHECKING:
    from tfrec.updating.rebuilding import Rebuilt


@click.command()
@click.argument("version", type=int, required=False, metavar="[VERSION]")
@path_option("--models", metavar="DIR", help="Models folder it was published in.", required=True)
@path_option("--state", metavar="DIR", help="State folder of `tfrec update`.", required=True)
@path_option(
    "--out",
    metavar="DIR",
    help="Folder to build it in; by default STATE/rebuilt/VERSION.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    version: int | None, models: Path, state: Path, out: Path | None, as_json: bool
) -> None:
    """Build a published version again, and compare its figures.

    VERSION, the newest by default, is trained again from its data, parent, configuration and seed,
    and exported under its number into OUT/models; what is served does not change. Figures that
    differ from the recorded ones by more than noise are named.
    """
    from tfrec.updating.lineage import lineage_of
    from tfrec.updating.rebuilding import rebuild

    if version is None:
        version = lineage_of(models).version
    rebuilt = rebuild(version, models, state, out or state / "rebuilt" / str(version))
    if as_json:
        click.echo(json.dumps(rebuilt.to_json(), indent=2, ensure_ascii=False))
    else:
        _print(rebuilt)


def _print(rebuilt: "Rebuilt") -> None:
    from rich.table import Table

    table = Table(title=f"Version {rebuilt.version}, built again", title_justify="left")
    table.add_column("figure")
    for name in ("recorded", "rebuilt", "difference", "noise"):
        table.add_column(name, justify="right")
    table.add_column("outcome")
    for figure in rebuilt.figures:
        again = figure.rebuilt
        table.add_row(
            figure.name,
            f"{figure.recorded:.4f}",
            "" if again is None else f"{again:.4f}",
            "" if again is None else f"{again - figure.recorded:+.4f}",
            f"{figure.noise:.4f}",
            "the same" if figure.is_same else "differs",
        )
    table_console().print(table)
    for note in rebuilt.notes:
        click.echo(f"Note: {note}.")
    for difference in rebuilt.differences:
        click.echo(f"Differs: {difference}.")
    click.echo(f"The models are in {rebuilt.models}.")


if __name__ == "__main__":
    run(command)
