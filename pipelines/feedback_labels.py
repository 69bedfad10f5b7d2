"""Joins the event log into training examples for the ranking model."""

import json
from pathlib import Path

import click

from pipelines.feedback_log import examples_of
from pipelines.options import event_log_option, json_option, logged_lists_options, path_option
from pipelines.running import run
from tfrec.config import load_config
from tfrec.errors import UserError
from tfrec.files import check_writable


@click.command()
@event_log_option
@path_option("--out", metavar="DIR", help="Folder of the examples; replaced.", required=True)
@logged_lists_options
@json_option
def command(
    event_log: Path,
    out: Path,
    config: Path | None,
    start: str | None,
    end: str | None,
    by_score: bool,
    as_json: bool,
) -> None:
    """Join recorded lists and events into training examples.

    Every line of the log becomes an example, a label or an impression, or is rejected with its
    reason. The chances that shoppers look at the places of a list are estimated from the clicks.
    """
    settings = load_config(config)
    check_writable(out / "summary.json")
    examples = examples_of(event_log, settings, start, end, by_score=by_score)
    if not len(examples.table):
        raise UserError(
            f"no list of the event log {event_log} became an example: "
            f"{examples.outcomes('lists') or 'it has none'}"
        )
    examples.save(out)
    if as_json:
        click.echo(json.dumps(examples.summary(), ensure_ascii=False, indent=2))
    else:
        click.echo(repr(examples))
        click.echo(f"{len(examples.table):,} examples are in {out}.")


if __name__ == "__main__":
    run(command)
