"""Turns an event log and a catalogue into a prepared data set."""

from pathlib import Path

import click

from pipelines.console import table_console
from pipelines.options import config_option, path_option
from pipelines.running import run
from tfrec.config import load_config


@click.command()
@click.option(
    "--events", required=True, metavar="PATH", help="Event log: a file or a quoted glob of files."
)
@click.option(
    "--items", required=True, metavar="PATH", help="Catalogue: a file or a quoted glob of files."
)
@path_option(
    "--out",
    metavar="DIR",
    help="Folder to write; an earlier data set there is replaced.",
    required=True,
)
@config_option
def command(events: str, items: str, out: Path, config: Path | None) -> None:
    """Turn an event log and a catalogue into a data set.

    Both are CSV, Parquet or JSON Lines, the text ones also compressed with gzip, with the columns
    of the data contract, or the original files of a source that `data.adapter` names. Every row
    ends either in the data set or, with a reason, in its `rejects` folder.
    """
    settings = load_config(config)
    # Here, because pandas and pandera take a second to import.
    from tfrec.data.prepare import prepare_dataset
    from tfrec.data.summary import print_summary

    dataset = prepare_dataset(events, items, out, settings.data)
    print_summary(dataset.manifest, table_console())
    click.echo(f"\nThe data set is in {out}; rejected rows are in {out / 'rejects'}.")


if __name__ == "__main__":
    run(command)
