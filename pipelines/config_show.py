"""Prints the effective configuration of an experiment."""

from pathlib import Path

import click

from pipelines.options import config_option
from pipelines.running import run
from tfrec.config import dump_config, load_config


@click.command()
@config_option
def command(config: Path | None) -> None:
    """Print the effective configuration.

    It is YAML, every default included: save it to a file, change it, and give it as --config.
    """
    click.echo(dump_config(load_config(config)), nl=False)


if __name__ == "__main__":
    run(command)
