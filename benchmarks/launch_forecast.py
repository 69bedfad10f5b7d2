"""Forecasts launches in Online Retail from what was known before, and prints how well.

    python -m benchmarks.launch_forecast [--validate] [--json FILE]

The 230 products first sold from 2011-09-01 to 2011-11-08 are forecast twice: all of them on the
eve of 2011-09-01, and each on its own eve with models that are fitted on the first of every month.
`--validate` does the same with the products first sold from May to July, on which everything was
chosen. Spearman's correlation of forecast and outcome stands beside that of baselines; brackets
are 95 % bootstrap intervals over products.
"""

import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from tfrec.config import load_config
from tfrec.data.sample import sample_path
from tfrec.files import write_json
from tfrec.launch.features import DAYS, Eve, launch_features
from tfrec.launch.forecasting import LaunchForecaster, StartForecast, day_of_year
from tfrec.launch.model import Forecast
from tfrec.launch.products import Products, products
from tfrec.launch.reading import read_shop
from tfrec.launch.sales import Sales

TEST = ("2011-09-01", "2011-11-09")
VALIDATION = ("2011-05-01", "2011-08-01")
SAMPLES = 2000
BASELINES = {
    "starts of text neighbours": ("launch_customers_10", "launch_units_10"),
    "recent sales of text neighbours": ("text_customers_20", "text_units_20"),
    "starts of price neighbours": ("price_launch_customers", "price_launch_units"),
    "recent sales of price neighbours": ("price_customers", "price_units"),
}
OUTCOMES = ("customers", "units")


@dataclass(frozen=True)
class Row:
    """One line of the table: a score for each product and, of a forecast, its interval."""

    name: str
    scores: dict[str, np.ndarray]
    intervals: dict[str, tuple[np.ndarray, np.ndarray]]


def load_shop() -> tuple[Products, Sales]:
    """Reads the shipped Online Retail with the BERT vectors of its titles."""
    from tfrec.training.text import text_vectors

    config = load_config(sample_path() / "config.yaml")
    folder = sample_path()
    shop = read_shop(folder / "events.parquet", folder / "items.parquet", config.data)
    cache = Path(tempfile.gettempdir()) / "tfrec_launch_text_vectors"
    vectors = text_vectors(shop.items["text"].tolist(), config.text, cache)
    return (
        products(shop.items["item_id"], shop.items["title"], shop.items["price"], vectors),
        shop.sales,
    )


def months(start: np.datetime64, stop: np.datetime64) -> list[np.datetime64]:
    """Returns the days on which months begin, from `start`, which is one, to `stop`."""
    first, last = start.astype("datetime64[M]"), stop.astype("datetime64[M]")
    return [month.astype("datetime64[D]") for month in np.arange(first, last + 1)]


def once(
    catalogue: Products, sales: Sales, rows: np.ndarray, cut: int, **settings: bool
) -> tuple[StartForecast, dict[str, np.ndarray]]:
    """Forecasts all launches from what was known before one day, launched on that day."""
    known, days = sales.before(cut), np.full(len(rows), cut)
    forecaster = LaunchForecaster(**settings).fit(catalogue, known)
    columns = launch_features(
        forecaster.products, Eve.of(known, cut), rows, day_of_year(sales, days)
    )
    return _predict(forecaster, known, rows, cut), columns


def rolling(
    catalogue: Products, sales: Sales, rows: np.ndarray, cuts: list[int], **settings: bool
) -> tuple[StartForecast, dict[str, np.ndarray]]:
    """Forecasts each launch on its eve, with the models of the last of `cuts` before it."""
    days = sales.first_day[rows]
    parts: list[tuple[np.ndarray, StartForecast, dict[str, np.ndarray]]] = []
    for cut, following in zip(cuts, [*cuts[1:], sales.end], strict=True):
        inside = (days >= cut) & (days < following)
        if not inside.any():
            continue
        forecaster = LaunchForecaster(**settings).fit(catalogue, sales.before(cut))
        for day in np.unique(days[inside]):
            at = np.flatnonzero(days == day)
            known = sales.before(int(day))
            columns = launch_features(
                forecaster.products, Eve.of(known, int(day)), rows[at], day_of_year(sales, days[at])
            )
            parts.append((at, _predict(forecaster, known, rows[at], int(day)), columns))
    at = np.concatenate([part[0] for part in parts])
    order = np.argsort(at)

    def joined(name: str) -> Forecast:
        each = [getattr(part[1], name) for part in parts]
        return Forecast(
            *(
                np.concatenate([getattr(one, field.name) for one in each])[order]
                for field in dataclasses.fields(Forecast)
            )
        )

    columns = {
        name: np.concatenate([part[2][name] for part in parts])[order] for name in parts[0][2]
    }
    return StartForecast(joined("customers"), joined("units")), columns


def _predict(
    forecaster: LaunchForecaster, known: Sales, rows: np.ndarray, day: int
) -> StartForecast:
    return forecaster.predict(known, rows, np.full(len(rows), day))


def rows_of(name: str, forecast: StartForecast, columns: dict[str, np.ndarray] | None) -> list[Row]:
    """Returns the lines of one way to forecast: baselines, where asked, and the model."""
    lines = []
    if columns is not None:
        for label, fields in BASELINES.items():
            scores = [columns[field] for field in fields]
            lines.append(Row(label, dict(zip(OUTCOMES, scores, strict=True)), {}))
    both = {"customers": forecast.customers, "units": forecast.units}
    lines.append(
        Row(
            name,
            {key: one.median for key, one in both.items()},
            {key: (one.low, one.high) for key, one in both.items()},
        )
    )
    return lines


def measure(row: Row, outcomes: dict[str, np.ndarray]) -> dict[str, object]:
    """Returns Spearman's correlation with its interval, and coverage, of each outcome."""
    result: dict[str, object] = {"forecast": row.name}
    for key, outcome in outcomes.items():
        score = np.nan_to_num(row.scores[key], nan=float(np.nanmedian(row.scores[key])))
        generator = np.random.default_rng(0)
        draws = generator.integers(0, len(outcome), (SAMPLES, len(outcome)))
        resampled = [spearmanr(score[draw], outcome[draw]).statistic for draw in draws]
        result[key] = {
            "spearman": float(spearmanr(score, outcome).statistic),
            "interval": [float(end) for end in np.quantile(resampled, [0.025, 0.975])],
        }
        if key in row.intervals:
            low, high = row.intervals[key]
            result[key] |= {  # type: ignore[operator]
                "coverage": float(((outcome >= low) & (outcome <= high)).mean()),
                "below": float((outcome < low).mean()),
                "above": float((outcome > high).mean()),
                "width": float(np.median((high + 1) / (low + 1))),
            }
    return result


def table_of(title: str, measured: list[dict]) -> Table:
    """Returns the table of one way to forecast."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("forecast")
    for key in OUTCOMES:
        for column in (key, "95 %", "in the 80 % interval", "below / above"):
            table.add_column(column, justify="right")
    for one in measured:
        cells = []
        for key in OUTCOMES:
            each = one[key]
            low, high = each["interval"]
            cells += [f"{each['spearman']:.3f}", f"{low:.3f} … {high:.3f}"]
            if "coverage" in each:
                cells += [f"{each['coverage']:.1%}", f"{each['below']:.1%} / {each['above']:.1%}"]
            else:
                cells += ["", ""]
        table.add_row(one["forecast"], *cells)
    return table


def period_options(function: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that the benchmarks of launches have."""
    function = click.option(
        "--json", "json_file", type=click.Path(path_type=Path), help="Write the figures here, too."
    )(function)
    return click.option(
        "--validate", is_flag=True, help="Measure the launches before the test period."
    )(function)


def period(validate: bool) -> tuple[np.datetime64, np.datetime64]:
    """Returns the first day of the launches that are measured, and the day after the last."""
    start, stop = VALIDATION if validate else TEST
    return np.datetime64(start), np.datetime64(stop)


@click.command()
@period_options
def command(validate: bool, json_file: Path | None) -> None:
    """Print how well launches are forecast."""
    catalogue, sales = load_shop()
    start, stop = period(validate)
    first, last = sales.day_of(start), sales.day_of(stop)
    rows = np.flatnonzero((sales.first_day >= first) & (sales.first_day < last))
    customers, units = sales.starts(DAYS)
    outcomes = {"customers": customers[rows], "units": units[rows]}
    cuts = [sales.day_of(month) for month in months(start, stop)]
    console, results = Console(width=170, highlight=False), {}
    for title, run in (
        (f"all on the eve of {start}", lambda **k: once(catalogue, sales, rows, first, **k)),
        (
            "each on its own eve, models of the first of the month",
            lambda **k: rolling(catalogue, sales, rows, cuts, **k),
        ),
    ):
        forecast, columns = run()
        lines = rows_of("launch forecast", forecast, columns)
        lines += rows_of("  without numbers of item ids", run(use_ids=False)[0], None)
        results[title] = [measure(line, outcomes) for line in lines]
        console.print(table_of(f"{len(rows)} launches, {title}", results[title]))
    if json_file:
        write_json(json_file, results)


if __name__ == "__main__":
    command()
