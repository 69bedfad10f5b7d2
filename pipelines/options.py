"""Command-line options that several stages share."""

from pathlib import Path

import click

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="Configuration of the experiment; without it, the defaults (see `tfrec config show`).",
)
