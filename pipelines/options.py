"""Command-line options that several stages share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def path_option(*names: str, metavar: str, help: str, **settings: Any) -> Decorator:
    """Returns an option that takes a path; `settings` are further ones of `click.option`."""
    return click.option(
        *names, type=click.Path(path_type=Path), metavar=metavar, help=help, **settings
    )


config_option = path_option(
    "--config",
    metavar="YAML",
    help="Configuration of the experiment; without it, the defaults (see `tfrec config show`).",
)
data_option = path_option(
    "--data", metavar="DIR", help="Data set that `tfrec data prepare` wrote.", required=True
)
trained_run_option = path_option(
    "--run",
    "run_folder",
    metavar="RUN",
    help="Folder of the run, as given to `tfrec train`.",
    required=True,
)
moved_data_option = path_option(
    "--data", metavar="DIR", help="The run's data set, where it has moved."
)
event_log_option = path_option(
    "--event-log", metavar="DIR", help="The gateway's event log.", required=True
)
_TRAINING_OPTIONS = (
    data_option,
    path_option(
        "--out", metavar="RUN", help="Folder of the run; both models go into it.", required=True
    ),
    config_option,
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        metavar="N",
        help="Seed of the training; the configuration's by default.",
    ),
    click.option(
        "--profile",
        is_flag=True,
        help="Trace a few steps with TensorFlow's profiler; see docs/tensorboard.md.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace a model that is already in the run."),
)


def training_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that the trainings of both models have."""
    for option in reversed(_TRAINING_OPTIONS):
        function = option(function)
    return function
