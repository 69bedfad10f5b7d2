"""Command-line options that several stages share."""

from pathlib import Path

import click

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="Configuration of the experiment; without it, the defaults (see `tfrec config show`).",
)
data_option = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Data set that `tfrec data prepare` wrote.",
)
run_option = click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Folder of the run; both models go into it.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    help="Seed of the training; the configuration's by default.",
)
profile_option = click.option(
    "--profile",
    is_flag=True,
    help="Trace a few steps with TensorFlow's profiler; see docs/tensorboard.md.",
)
trained_run_option = click.option(
    "--run",
    "run_folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Folder of the run, as given to `tfrec train`.",
)
moved_data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run's data set, where it has moved.",
)
