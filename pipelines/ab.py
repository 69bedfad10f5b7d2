"""Compares two model versions, or two variants, from recorded events."""

import json
from pathlib import Path
from typing import Literal

import click

from pipelines.options import event_log_option, json_option, unix_seconds
from pipelines.running import run
from tfrec.errors import UserError


@click.command()
@event_log_option
@click.option("--a", metavar="NAME", help="What is there; needed where the log has more than two.")
@click.option("--b", metavar="NAME", help="What may take its place.")
@click.option(
    "--by",
    type=click.Choice(["version", "variant"]),
    default="version",
    show_default=True,
    help="What tells the two apart: the model's version, or the variant that callers named.",
)
@click.option(
    "--split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.5,
    show_default=True,
    help="Share of the shoppers that was meant for B.",
)
@click.option("--from", "start", metavar="TIME", help="Start (ISO 8601); when both were served.")
@click.option("--until", "end", metavar="TIME", help="End; when one of them was served no more.")
@click.option(
    "--before-days",
    type=click.FloatRange(0),
    default=28.0,
    show_default=True,
    help="Days before the start that say what shoppers differ in anyway (CUPED).",
)
@click.option(
    "--conversion", default="purchase", show_default=True, help="The event a shop lives on."
)
@json_option
def command(
    event_log: Path,
    a: str | None,
    b: str | None,
    by: Literal["version", "variant"],
    split: float,
    start: str | None,
    end: str | None,
    before_days: float,
    conversion: str,
    as_json: bool,
) -> None:
    """Compare two model versions from recorded events.

    Checks whether the comparison can be trusted, measures it with the shopper as the unit, and
    says in a sentence what to make of it.
    """
    from tfrec.monitoring.experiment.readout import read_out
    from tfrec.monitoring.experiment.shoppers import read_shoppers
    from tfrec.monitoring.live.event_log import EventLogReader
    from tfrec.progress import progress

    reader = EventLogReader(event_log)
    lines = progress(reader.read(), description="Reading the log", unit="line")
    if not event_log.is_dir():
        raise UserError(
            f"there is no event log {event_log}; give the folder that the gateway got as "
            "--events-log"
        )
    shoppers = read_shoppers(
        lines,
        a,
        b,
        by=by,
        start=unix_seconds("--from", start),
        end=unix_seconds("--until", end),
        before_days=before_days,
        conversion=conversion,
    )
    if reader.bad_lines:
        click.echo(f"note: {reader.bad_lines} lines of the log could not be read", err=True)
    readout = read_out(shoppers, share_of_b=split, cuped=before_days > 0)
    if as_json:
        click.echo(json.dumps(readout.to_json(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        readout.print()


if __name__ == "__main__":
    run(command)
