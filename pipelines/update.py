"""Learns from new events and publishes what was learned, if it holds."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.console import count_table, table_console
from pipelines.following import follow, following_options
from pipelines.options import path_option
from pipelines.running import run
from tfrec.config import load_config
from tfrec.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from tfrec.updating.state import Entry
    from tfrec.updating.update import Updated


@click.command()
@click.option(
    "--events",
    metavar="PATH",
    help="New events: a file or a quoted glob of files.",
)
@click.option(
    "--follow",
    "source",
    metavar="DIR|KAFKA",
    help="New events as they arrive: a folder, or kafka://HOST:PORT/TOPIC.",
)
@click.option("--items", metavar="PATH", help="New and changed products, likewise.")
@path_option(
    "--models", metavar="DIR", help="Models folder that `tfrec export` wrote.", required=True
)
@path_option(
    "--state",
    metavar="DIR",
    help="Folder that the updates live in: ledger, data sets, runs.",
    required=True,
)
@path_option(
    "--run",
    "run_folder",
    metavar="RUN",
    help="First update: the run that the newest version was exported from.",
)
@path_option("--data", metavar="DIR", help="First update: the run's data set, if it has moved.")
@path_option(
    "--config",
    metavar="YAML",
    help="Take those of `data`, `update`, `display`, `surfaces`, `evaluation` and `export` that it "
    "names from here, not from the first update.",
)
@following_options
@click.option("--json", "as_json", is_flag=True, help="Print the ledger's entry as JSON.")
def command(
    events: str | None,
    source: str | None,
    items: str | None,
    models: Path,
    state: Path,
    run_folder: Path | None,
    data: Path | None,
    config: Path | None,
    as_json: bool,
    **following: Any,
) -> None:
    """Learn from new events, and publish what was learned if it holds.

    The events join the log; both models are trained on from those that are served; old and new
    ones are compared on the newest days; a new version is published, or the old one stays and the
    reason is told. The same batch twice changes nothing. An update that was stopped continues when
    the same command is given again. With --follow, events are taken in as they arrive, each once,
    until Ctrl-C or SIGTERM.
    """
    if (events is None) == (source is None):
        raise UserError("give new events with --events, or a source of them with --follow")
    settings = None if config is None else load_config(config)
    if source is not None:
        follow(
            source,
            models,
            state,
            items=items,
            run=run_folder,
            data=data,
            config=settings,
            show=_show_json if as_json else show_updated,
            **following,
        )
        return
    assert events is not None, "one of both is given"
    from tfrec.updating.update import update

    updated = update(models, state, events, items, run=run_folder, data=data, config=settings)
    if as_json:
        _show_json(updated, indent=2)
    else:
        show_updated(updated)


def _show_json(updated: "Updated", indent: int | None = None) -> None:
    """Prints the entry, by default as one line."""
    told = {"repeated": updated.repeated, **dataclasses.asdict(updated.entry)}
    click.echo(json.dumps(told, indent=indent, ensure_ascii=False))


def show_updated(updated: "Updated") -> None:
    """Prints what came of a batch."""
    if updated.finished_before is not None:
        before = updated.finished_before
        click.echo(f"An update that was stopped was finished first: {before.reason}.")
    if updated.repeated:
        click.echo(
            f"This batch was taken in before, as generation {updated.entry.generation}; nothing "
            "changed."
        )
        return
    _print(updated.entry)


def _print(entry: "Entry") -> None:
    console = table_console()
    console.print(_rows(entry))
    if entry.verdict is not None and entry.verdict["checks"]:
        console.print(_checks(entry))
    for note in entry.batch["notes"]:
        click.echo(f"Note: {note}.")
    if entry.outcome == "refused":
        click.echo(f"The batch is refused: {entry.reason}.")
    elif entry.version is None:
        click.echo(f"Version {entry.parent_version} stays: {entry.reason}.")
    else:
        click.echo(f"Version {entry.version} is published: {entry.reason}.")


def _rows(entry: "Entry") -> "Table":
    batch = entry.batch
    counts = (
        ("rows", batch["rows_in"]),
        ("  accepted", batch["accepted"]),
        ("    of them late", batch["late"]),
        *((f"  {reason}", count) for reason, count in batch["rejected"].items()),
        ("new products", batch["items_new"]),
        ("changed products", batch["items_changed"]),
        *((f"  {reason}", count) for reason, count in batch["items_rejected"].items()),
        *((f"{name}, seconds", f"{taken:.1f}") for name, taken in entry.seconds.items()),
    )
    return count_table(f"Batch {entry.generation}", counts)


def _checks(entry: "Entry") -> "Table":
    from rich.table import Table

    table = Table(title="Old and new models on the newest days", title_justify="left")
    table.add_column("guardrail")
    for name in ("old", "new", "difference", "shoppers"):
        table.add_column(name, justify="right")
    table.add_column("limit")
    table.add_column("outcome")
    assert entry.verdict is not None
    for check in entry.verdict["checks"]:
        old, new = check["champion"], check["challenger"]
        difference = "" if old is None else f"{new - old:+.4f}"
        if check["low"] is not None:
            difference += f" ({check['low']:+.4f} to {check['high']:+.4f})"
        table.add_row(
            check["name"],
            "" if old is None else f"{old:.4f}",
            "" if new is None else f"{new:.4f}",
            difference,
            f"{check['cases']:,}",
            check["limit"],
            check["outcome"],
        )
    return table


if __name__ == "__main__":
    run(command)
