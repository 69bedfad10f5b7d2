"""Fits the surfaces of a shop, such as search and cart, beside the models of a run."""

from pathlib import Path

import click

from pipelines.options import moved_data_option, path_option, trained_run_option
from pipelines.running import run
from tfrec.config import load_config


@click.command()
@trained_run_option
@moved_data_option
@path_option(
    "--config",
    "config_file",
    metavar="YAML",
    help="Take the section `surfaces` from here, not from the run.",
)
@click.option("--overwrite", is_flag=True, help="Replace surfaces that are already in the run.")
def command(run_folder: Path, data: Path | None, config_file: Path | None, overwrite: bool) -> None:
    """Fit the home page, cart, search and other surfaces.

    The run must hold a finished retrieval model. The next export has the surfaces as signatures
    of the models `retrieval` and `recommender`.
    """
    settings = None if config_file is None else load_config(config_file)
    from tfrec.training.run import RunDirectory

    RunDirectory.open(run_folder, "retrieval")
    # After the mistakes that can be said without TensorFlow, which takes seconds to import.
    from tfrec.training.surfaces import run_surfaces

    directory, metrics = run_surfaces(run_folder, data, overwrite=overwrite, settings=settings)
    figures = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    click.echo(f"On validation data: {figures}. The surfaces are in {directory.path}.")
    click.echo(f"Export them with `tfrec export --run {run_folder} --models DIR`.")


if __name__ == "__main__":
    run(command)
