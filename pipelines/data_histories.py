"""Writes histories of a data set's shoppers, for load tests of a server."""

from pathlib import Path

import click

from pipelines.options import data_option
from pipelines.running import run


@click.command()
@data_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of JSON lines to write.",
)
@click.option("--split", default="test", show_default=True, help="Whose histories.")
@click.option(
    "--count", type=click.IntRange(min=1), default=2000, show_default=True, help="How many at most."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draw."
)
def command(data: Path, out: Path, split: str, count: int, seed: int) -> None:
    """Write histories of real shoppers, for load tests.

    `python -m serving.loadtest --histories FILE` asks a server with them. Neither ids nor hashes
    of shoppers are in the file.
    """
    # Here, because pandas takes seconds to import.
    from tfrec.data.dataset import PreparedDataset
    from tfrec.data.history_lines import write_history_lines

    written = write_history_lines(PreparedDataset.open(data), split, out, count=count, seed=seed)
    click.echo(f"{written:,} histories of the split {split} are in {out}.")


if __name__ == "__main__":
    run(command)
