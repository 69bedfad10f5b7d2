"""Command-line options that several stages share."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tfrec.errors import UserError
from tfrec.files import check_writable

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def path_option(*names: str, metavar: str, help: str, **settings: Any) -> Decorator:
    """Returns an option that takes a path; `settings` are further ones of `click.option`."""
    return click.option(
        *names, type=click.Path(path_type=Path), metavar=metavar, help=help, **settings
    )


def together(*options: Decorator) -> Decorator:
    """Returns what adds several options at once; `--help` lists them in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")
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
logged_lists_options = together(
    config_option,
    click.option(
        "--from", "start", metavar="TIME", help="Only lists served since then (ISO 8601)."
    ),
    click.option(
        "--until", "end", metavar="TIME", help="Only lines of the log from before then (ISO 8601)."
    ),
    click.option(
        "--by-score",
        is_flag=True,
        help="The lists were ordered by their scores, but for display.exploration_share of the "
        "configuration: compute the propensities that the log lacks.",
    ),
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    help="Seed of the training; the configuration's by default.",
)
training_options = together(
    data_option,
    path_option(
        "--out", metavar="RUN", help="Folder of the run; both models go into it.", required=True
    ),
    config_option,
    seed_option,
    click.option(
        "--profile",
        is_flag=True,
        help="Trace a few steps with TensorFlow's profiler; see docs/tensorboard.md.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace a model that is already in the run."),
)


def check_parquet(path: Path) -> None:
    """Checks that a Parquet file can be written, before there is anything to write.

    Raises:
        UserError: if it cannot, or its name does not end in ``.parquet``.
    """
    check_writable(path)
    if path.suffix != ".parquet":
        raise UserError(f"{path} will be a Parquet file; give it a name that ends in .parquet")


def unix_seconds(option: str, text: str | None) -> float | None:
    """Returns the unix seconds of a time in ISO 8601, by UTC where it names no other zone.

    Args:
        option: that it was given as, for the error.
        text: the time; None for None.

    Raises:
        UserError: if it is no time.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} should be a time such as 2026-01-31 or 2026-01-31T12:00, not {text!r}"
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
