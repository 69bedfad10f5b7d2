"""Takes the newest version of the models back."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pipelines.options import path_option
from pipelines.running import run


@click.command()
@path_option("--models", metavar="DIR", help="Models folder that is served.", required=True)
@click.option(
    "--to",
    type=int,
    metavar="VERSION",
    help="Version to go back to; the one before the newest by default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(models: Path, to: int | None, as_json: bool) -> None:
    """Take the newest version back, so that the one before is served.

    Nothing is deleted: the folders are renamed, where no server looks. The next `tfrec update`
    trains on from the version that is served then.
    """
    from tfrec.updating.rollback import roll_back

    done = roll_back(models, to=to)
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    told = ", ".join(str(version) for version in done.withdrawn)
    click.echo(f"Version {told} is withdrawn; {done.served} is the newest in {models} again.")


if __name__ == "__main__":
    run(command)
