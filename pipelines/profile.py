"""Writes the portraits of a run's shoppers, or erases one of them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.console import table_console
from pipelines.options import check_parquet, moved_data_option, path_option
from pipelines.running import run
from tfrec.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from tfrec.profiles.tables import ProfileTables


@click.command()
@path_option("--run", "run_folder", metavar="RUN", help="Folder of the run.")
@moved_data_option
@path_option("--out", metavar="FILE", required=True, help="Parquet file of the portraits.")
@click.option("--refit", is_flag=True, help="Find segments, groups and rhythm anew.")
@click.option("--erase", metavar="HASH", help="Only take this shopper's portrait out of FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print the segments as JSON, not a table.")
def command(
    run_folder: Path | None,
    data: Path | None,
    out: Path,
    refit: bool,
    erase: str | None,
    as_json: bool,
) -> None:
    """Write portraits of shoppers: segment, taste, next purchase.

    Shoppers are named by their hashes alone. The next export draws the same portraits in the
    signature `profile` of the model `retrieval`.
    """
    from tfrec.profiles.files import erase_portrait, write_portraits

    if erase is not None:
        erased = erase_portrait(out, erase)
        click.echo(f"Erased {erased} {'portrait' if erased == 1 else 'portraits'} from {out}.")
        return
    if run_folder is None:
        raise UserError("there is no run to read; name it with --run RUN")
    check_parquet(out)
    from tfrec.training.run import RunDirectory

    RunDirectory.open(run_folder, "retrieval")
    # After the mistakes that can be said without TensorFlow, which takes seconds to import.
    from tfrec.training.profiles import run_profiles

    tables, portraits = run_profiles(run_folder, data, refit=refit)
    write_portraits(out, portraits)
    if as_json:
        click.echo(json.dumps(segments(tables, portraits), ensure_ascii=False, indent=2))
        return
    table_console().print(_table(segments(tables, portraits), tables))
    click.echo(f"Portraits of {len(portraits):,} shoppers are in {out}.")


def segments(tables: "ProfileTables", portraits: "pd.DataFrame") -> list[dict[str, object]]:
    """Returns the segments, the largest first, with the middles of their shoppers' figures."""
    groups = [
        name for name in portraits if name.startswith("top_") and f"{name}_share" in portraits
    ]
    rows: list[dict[str, object]] = []
    for name in tables.segment_names:
        some = portraits[portraits["segment"] == name]
        first = some[groups[0]].map(lambda names: names[0] if len(names) else "")
        common = first[first != ""].value_counts().head(3).index.tolist()
        rows.append(
            {
                "segment": name,
                "shoppers": len(some),
                "share": round(len(some) / max(len(portraits), 1), 4),
                "top": common,
                "price_middle": _middle(some["price_middle"]),
                "purchases": _middle(some["purchases"]),
                "purchase_days": _middle(some["purchase_days"]),
                "diversity": _middle(some["diversity"]),
            }
        )
    return sorted(rows, key=lambda row: -int(str(row["shoppers"])))


def _middle(values: "pd.Series") -> float | None:
    middle = values.median()
    return None if middle != middle else round(float(middle), 4)


def _table(rows: list[dict[str, object]], tables: "ProfileTables") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    tried = ", ".join(f"{k}: {score:.3f}" for k, score in tables.silhouettes.items())
    table = Table(
        title="Segments of the shoppers (medians)",
        caption=f"silhouette by number of segments: {tried}" if tried else None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("segment", overflow="fold")
    for name in ("shoppers", "share"):
        table.add_column(name, justify="right")
    table.add_column("most buy", overflow="fold")
    for name in ("price", "purchases", "days with any", "diversity"):
        table.add_column(name, justify="right")
    for row in rows:
        top = row["top"]
        assert isinstance(top, list)
        cells = [str(row["segment"]), f"{row['shoppers']:,}", f"{row['share']:.1%}", "; ".join(top)]
        for name in ("price_middle", "purchases", "purchase_days", "diversity"):
            value = row[name]
            cells.append("" if value is None else f"{value:,.2f}".removesuffix(".00"))
        table.add_row(*(Text(cell) for cell in cells))
    return table


if __name__ == "__main__":
    run(command)
