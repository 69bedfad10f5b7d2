"""Writes the SavedModels that a model server loads."""

from pathlib import Path

import click

from pipelines.options import moved_data_option, path_option, trained_run_option
from pipelines.running import run
from tfrec.config import load_config


@click.command()
@trained_run_option
@path_option(
    "--models",
    metavar="DIR",
    help="Folder that a model server serves; the new version goes beside the older ones.",
    required=True,
)
@moved_data_option
@path_option(
    "--config",
    "config_file",
    metavar="YAML",
    help="Take those of the sections `display`, `surfaces`, `evaluation` and `export` that it "
    "names from here, not from the run.",
)
def command(run_folder: Path, models: Path, data: Path | None, config_file: Path | None) -> None:
    """Write the SavedModels that a model server loads.

    Three models appear as one new version: `retrieval`, `ranking` and `recommender`, which is
    both and the display order in one call. A server that watches the folder takes them over.
    """
    settings = None if config_file is None else load_config(config_file)
    from tfrec.export.exporter import export_run

    exported = export_run(run_folder, models, data, settings)
    for name, folder in exported.folders.items():
        click.echo(f"{name}: {folder} ({', '.join(exported.signatures[name])})")
    click.echo(f"Serve them with `tfrec serve --models {models}`.")


if __name__ == "__main__":
    run(command)
