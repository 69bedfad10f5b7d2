"""A launch kit as one HTML page that needs nothing else."""

import html

from rich.table import Table
from rich.text import Text

from tfrec.display import to_html
from tfrec.launch.expectations import Interval, Launch, LaunchKit, Neighbour
from tfrec.launch.plots import overview, seasons
from tfrec.launch.rivals import RivalEffect

SHOPPERS_SHOWN = 20
STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;"
    "color:#222;line-height:1.45}td,th{padding:.15em .7em;border-bottom:1px solid #ddd}"
    "table{font-size:92%}img{max-width:100%}section{border-top:2px solid #888;margin-top:2.5em}"
    "code{font-size:88%;word-break:break-all}"
)


def summary_table(kit: LaunchKit) -> Table:
    """Returns one row a launch, best expected start first."""
    table = Table(title=f"Expected in the first {kit.days} days", title_justify="left")
    table.add_column("item", no_wrap=True)
    table.add_column("title")
    for name in ("price", "customers", f"{kit.coverage:.0%} interval", "units"):
        table.add_column(name, justify="right")
    for name in (f"{kit.coverage:.0%} interval", "rank on sale", "best week"):
        table.add_column(name, justify="right")
    table.add_column("best day")
    for launch in kit.launches:
        table.add_row(
            Text(launch.item_id),
            Text(launch.title),
            _price(launch.price),
            f"{launch.customers.median:,.0f}",
            _range(launch.customers),
            f"{launch.units.median:,.0f}",
            _range(launch.units),
            f"{launch.rank:,} of {launch.catalogue:,}",
            "" if launch.season.best_week is None else str(launch.season.best_week),
            launch.season.best_weekday,
        )
    return table


def html_report(kit: LaunchKit) -> str:
    """Returns the report of all launches as a page."""
    parts = [
        f"<h1>{len(kit.launches):,} products to come</h1>",
        f"<p>Forecast from sales until {kit.known_until}, with {kit.learnt_from:,} earlier "
        f"launches to learn from. Of a hundred launches like those of the past, about "
        f"{100 * kit.coverage:.0f} end inside their interval. {_rivals(kit.rival_effect)}</p>",
        f'<img alt="expected customers" src="{overview(kit)}">',
        to_html([summary_table(kit)]),
        *(_section(kit, launch) for launch in kit.launches),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Launch forecast</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _section(kit: LaunchKit, launch: Launch) -> str:
    season, audience = launch.season, launch.audience
    when = (
        ""
        if season.best_week is None
        else f" Products of its kind are wanted most from the week of {season.best_week} on."
    )
    likely = ", ".join(audience.shoppers[:SHOPPERS_SHOWN])
    words = f" They often buy: {html.escape(', '.join(audience.words))}." if audience.words else ""
    once = " The log spans about a year, so season and growth of the shop look the same."
    return "".join(
        (
            f"<section><h2>{html.escape(launch.title)} "
            f"<small>{html.escape(launch.item_id)}</small></h2>",
            f"<p><b>{launch.customers.median:,.0f} customers</b> ({_range(launch.customers)}) and "
            f"<b>{launch.units.median:,.0f} units</b> ({_range(launch.units)}) in the first "
            f"{kit.days} days from {launch.day}: place {launch.rank:,} of the "
            f"{launch.catalogue:,} products that sold lately. {launch.better_starts:.0%} of the "
            "earlier launches started with more customers.</p>",
            to_html([_neighbours("Closest products, and how they started", launch.closest)]),
            to_html([_neighbours("Products that may lose customers to it", launch.at_risk)])
            if launch.at_risk
            else "<p>No product on sale is like enough to lose customers to it.</p>",
            f"<h3>Who may buy it</h3>{to_html([_segments(launch)])}"
            f"<p>{words} The likeliest: <code>{html.escape(likely)}</code></p>",
            f"<h3>When</h3><p>{when} Most is bought on a {season.best_weekday}."
            f"{once if season.years < 2 else ''}</p>"
            f'<img alt="demand over the year and the week" src="{seasons(launch)}"></section>',
        )
    )


def _neighbours(title: str, rows: list[Neighbour]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("item")
    table.add_column("title")
    for name in ("price", "likeness", "on sale since", "first customers", "first units", "lately"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.item_id,
            row.title,
            _price(row.price),
            f"{row.similarity:.2f}",
            row.on_sale_since or "before the log",
            "" if row.start_customers is None else f"{row.start_customers:,}",
            "" if row.start_units is None else f"{row.start_units:,}",
            f"{row.recent_customers:,}",
        )
    return table


def _segments(launch: Launch) -> Table:
    table = Table(title=f"The {len(launch.audience.shoppers)} likeliest shoppers")
    table.add_column("segment")
    table.add_column("of the list", justify="right")
    table.add_column("of all active", justify="right")
    for name, share in launch.audience.segments.items():
        table.add_row(name, f"{share:.0%}", f"{launch.audience.segments_of_all[name]:.0%}")
    return table


def _rivals(effect: RivalEffect) -> str:
    if not effect.launches:
        return "No earlier launch resembled a product on sale, so what it cost them is not known."
    seen = (
        f"Beside {effect.launches:,} earlier launches, the customers of products like them changed "
        f"by {effect.change:+.0%} against the rest ({effect.low:+.0%} to {effect.high:+.0%})"
    )
    return seen + (
        ": launches took customers from them."
        if effect.is_loss
        else ": that is no proof that launches take customers from what is on sale."
    )


def _range(interval: Interval) -> str:
    return f"{interval.low:,.0f} to {interval.high:,.0f}"


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:,.2f}"
