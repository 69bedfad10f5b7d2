"""Forecasts how products will start that are not yet on sale."""

import json
from pathlib import Path

import click

from pipelines.console import table_console
from pipelines.options import config_option, path_option
from pipelines.running import run
from tfrec.config import load_config
from tfrec.files import atomic_file, check_writable


@click.command()
@click.option(
    "--events", required=True, metavar="PATH", help="Event log: a file or a quoted glob of files."
)
@click.option(
    "--catalogue",
    required=True,
    metavar="PATH",
    help="Catalogue of the products in the log: a file or a quoted glob of files.",
)
@click.option(
    "--items",
    required=True,
    metavar="PATH",
    help="Products not yet on sale: `item_id`, `title` and, where known, `price`, `launched_at`.",
)
@path_option("--out", metavar="FILE", help="HTML report to write.", default="launch.html")
@config_option
@click.option(
    "--shoppers",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Likely buyers to list for each product.",
)
@click.option(
    "--coverage",
    type=click.FloatRange(0.5, 0.99),
    default=0.8,
    show_default=True,
    metavar="SHARE",
    help="Share of outcomes that the intervals should hold.",
)
@click.option(
    "--ignore-ids",
    is_flag=True,
    help="Numbers in item ids mean nothing in this shop.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, all lists included.")
def command(
    events: str,
    catalogue: str,
    items: str,
    out: Path,
    config: Path | None,
    shoppers: int,
    coverage: float,
    ignore_ids: bool,
    as_json: bool,
) -> None:
    """Forecast how products not yet on sale will start.

    Earlier launches in the log teach what to expect of a text, a price and a season: customers
    and units of the first 30 days with intervals, likely buyers, closest products, products that
    may lose customers, and the best time. The report is one HTML file.
    """
    settings = load_config(config)
    check_writable(out)
    # Here, because scikit-learn and pandas take seconds to import.
    from tfrec.launch.as_json import as_json as plain
    from tfrec.launch.kit import forecast_launches
    from tfrec.launch.report import html_report, summary_table

    kit = forecast_launches(
        events,
        catalogue,
        items,
        settings,
        text_cache=out.parent / "text_vectors",
        shoppers=shoppers,
        coverage=coverage,
        use_ids=not ignore_ids,
    )
    with atomic_file(out) as temporary:
        temporary.write_text(html_report(kit), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(plain(kit), indent=2, ensure_ascii=False))
        return
    table_console().print(summary_table(kit))
    click.echo(f"The report is in {out}.")


if __name__ == "__main__":
    run(command)
