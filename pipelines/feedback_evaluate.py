"""Estimates from the event log what a run's models would earn before they go live."""

import json
from pathlib import Path

import click

from pipelines.feedback_log import examples_of
from pipelines.options import (
    event_log_option,
    json_option,
    logged_lists_options,
    moved_data_option,
    trained_run_option,
)
from pipelines.running import run
from tfrec.config import load_config
from tfrec.errors import UserError


@click.command()
@event_log_option
@trained_run_option
@moved_data_option
@logged_lists_options
@click.option(
    "--most-weight",
    type=click.FloatRange(1.0),
    default=1000.0,
    show_default=True,
    help="Largest weight of a place; larger ones are clipped.",
)
@json_option
def command(
    event_log: Path,
    run_folder: Path,
    data: Path | None,
    config: Path | None,
    start: str | None,
    end: str | None,
    by_score: bool,
    most_weight: float,
    as_json: bool,
) -> None:
    """Estimate from recorded events what new models would earn.

    The configuration is that of the logged lists. The estimates are inverse propensity scores,
    plain and self-normalised, and doubly robust, with intervals over shoppers and warnings where
    the log cannot tell.
    """
    import numpy as np

    from tfrec.feedback.comparison import compare_policies
    from tfrec.training.run import RunDirectory

    settings = load_config(config)
    # Before the log is read, which may be long.
    RunDirectory.open(run_folder, "retrieval")
    if not (run_folder / "ranking").exists():
        raise UserError(
            f"the run {run_folder} has no ranking model; train it with `tfrec train ranking`"
        )
    # What is not on the screen is not looked at, so the chances of places account for it.
    examples = examples_of(
        event_log, settings, start, end, by_score=by_score, impressions=not by_score
    )
    if not len(examples.table):
        raise UserError(
            f"no list of the event log {event_log} can be compared: "
            f"{examples.outcomes('lists') or 'it has none'}"
        )
    events = [event for event, count in examples.labels.items() if count]
    if not events:
        raise UserError(
            f"none of the lists of {event_log} was followed by any of "
            f"{', '.join(settings.feedback.events)}, so there is nothing to compare"
        )
    # After the mistakes that can be said without TensorFlow, which takes seconds to import.
    from tfrec.training.feedback_policy import orders_of_run
    from tfrec.training.loading import TrainedRun

    trained = TrainedRun.open(run_folder, data)
    places = np.arange(1, settings.feedback.places + 1)
    looks = examples.examination
    comparison = compare_policies(
        examples.table,
        orders_of_run(trained, examples.table),
        np.ones(len(places)) if looks is None else looks.at(places),
        settings.display,
        events,
        by_score=by_score,
        most_weight=most_weight,
    )
    if as_json:
        click.echo(json.dumps(comparison.to_json(), ensure_ascii=False, indent=2, allow_nan=False))
    else:
        click.echo(repr(comparison))


if __name__ == "__main__":
    run(command)
