"""Joins the event log into training examples for the ranking model."""

import json
from pathlib import Path

import click

from pipelines.options import (
    config_option,
    event_log_option,
    from_option,
    path_option,
    unix_seconds,
    until_option,
)
from pipelines.running import run
from tfrec.config import load_config
from tfrec.errors import UserError
from tfrec.files import check_writable


@click.command()
@event_log_option
@path_option("--out", metavar="DIR", help="Folder of the examples; replaced.", required=True)
@config_option
@from_option
@until_option
@click.option(
    "--by-score",
    is_flag=True,
    help="The lists were ordered by their scores, but for display.exploration_share of the "
    "configuration: compute the propensities that the log lacks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, not tables.")
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
    from tfrec.feedback.labels import make_examples
    from tfrec.feedback.reading import read_log

    settings = load_config(config)
    check_writable(out / "summary.json")
    lines, bad_lines = read_log(event_log, unix_seconds("--until", end))
    examples = make_examples(
        lines,
        settings.feedback,
        settings.display,
        by_score=by_score,
        since=unix_seconds("--from", start),
        bad_lines=bad_lines,
    )
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
