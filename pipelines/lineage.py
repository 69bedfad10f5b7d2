"""Says where a published version comes from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.console import table_console
from pipelines.options import path_option
from pipelines.running import run

if TYPE_CHECKING:
    from tfrec.updating.lineage import Lineage


@click.command()
@click.argument("version", type=int, required=False, metavar="[VERSION]")
@path_option("--models", metavar="DIR", help="Models folder that holds the version.", required=True)
@path_option("--state", metavar="DIR", help="State folder of `tfrec update`, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(version: int | None, models: Path, state: Path | None, as_json: bool) -> None:
    """Say which data, code, settings and parent a version comes from.

    VERSION is the newest by default; a withdrawn one may be named, too. An updated version is told
    with the gate's figures, and with what it takes to build it again.
    """
    from tfrec.updating.lineage import lineage_of

    lineage = lineage_of(models, version, state)
    if as_json:
        click.echo(json.dumps(lineage.to_json(), indent=2, ensure_ascii=False))
        return
    _print(lineage)


def _print(lineage: "Lineage") -> None:
    from rich.table import Table

    table = Table(
        title=f"Version {lineage.version}, {lineage.origin}",
        title_justify="left",
        show_header=False,
    )
    table.add_column("what")
    table.add_column("value", overflow="fold")
    rows = [
        ("written", lineage.written),
        ("parent version", str(lineage.parent_version or "none")),
        ("data set", lineage.dataset),
    ]
    if lineage.data:
        data = lineage.data
        rows.append(("events", f"{data['events']:,}, {data['first']} to {data['last']}"))
        rows.append(("products", f"{data['items']:,}"))
    if lineage.batch:
        batch = lineage.batch
        rows.append(("batch", f"{batch['content']} ({', '.join(batch['events'])})"))
        rows.append(("batch events", f"{batch['accepted']:,} of {batch['rows_in']:,} accepted"))
    rows += [(f"code, {name}", value) for name, value in lineage.code.items()]
    rows += [("seed", str(lineage.seed)), ("configuration", lineage.config)]
    rows += [(name, f"{value:.4f}") for name, value in lineage.metrics.items()]
    if lineage.verdict:
        rows.append(("gate", lineage.verdict["reason"]))
        for check in lineage.verdict["checks"]:
            old, new = check["champion"], check["challenger"]
            figures = "" if old is None else f"{old:.4f} -> {new:.4f}, "
            rows.append((f"  {check['name']}", f"{figures}{check['outcome']}"))
    for need in lineage.needs:
        state = "there" if need.there else "missing or changed"
        rows.append((f"to build it again: {need.what}", f"{state} ({need.where})"))
    for name, value in rows:
        table.add_row(name, value)
    table_console().print(table)


if __name__ == "__main__":
    run(command)
