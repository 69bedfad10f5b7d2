"""Replays the shipped sample of Online Retail week by week against a reference, and counts alerts.

    python -m benchmarks.drift_replay [--data demo/data] [--json FILE]

The events are given to the monitor's own drift watch and alert book, with the shipped rules. A
reference is made of what lies before a day, as an export on that day would make it. What is known
beforehand: the shop sells gifts, so that November and December up to Christmas are its season,
spring and summer are ordinary, and September and October, when its customers stock up, are neither.
"""

from datetime import date, timedelta
from pathlib import Path

import click
import numpy as np
import pandas as pd
import scipy.sparse
from rich import box
from rich.console import Console
from rich.table import Table

from tfrec.config import load_config
from tfrec.data.sample import sample_path
from tfrec.files import write_json
from tfrec.monitoring.alerts.book import Alert
from tfrec.monitoring.drift.reference import Reference
from tfrec.monitoring.drift.replay import RULE, TimedLog, Week, replay
from tfrec.progress import progress

REFERENCE_DAYS = 182
# The log begins in the December before, whose Christmas a first reference does not know.
FIRST_DAY = date(2011, 1, 4)
ORDINARY_UNTIL = date(2011, 9, 1)
SEASON_FROM = date(2011, 11, 1)
REFERENCE_ENDS = [date(2011, month, 1) for month in (4, 5, 6, 7, 8)]
DAYS_PER_MONTH = 30.4


def load_shop(vectors: np.ndarray | None = None) -> TimedLog:
    """Reads the sample; without vectors of the items, makes some of the words of their titles."""
    items = pd.read_parquet(sample_path() / "items.parquet")
    events = pd.read_parquet(sample_path() / "events.parquet").sort_values("timestamp")
    row = events["item_id"].map(pd.Series(np.arange(len(items)), items["item_id"]))
    events, row = events[row.notna()], row[row.notna()]
    return TimedLog(
        items,
        title_vectors(items["title"].tolist()) if vectors is None else vectors,
        row.to_numpy(np.int64),
        events["event"].to_numpy(object),
        events["timestamp"].to_numpy().astype("datetime64[s]").astype(np.int64),
    )


def title_vectors(titles: list[str], dimension: int = 64) -> np.ndarray:
    """Returns latent semantic vectors float `[titles, dimension]`: SVD of weighted word counts."""
    words = [sorted(set(title.lower().split())) for title in titles]
    vocabulary = {word: place for place, word in enumerate(sorted({w for ws in words for w in ws}))}
    rows = np.repeat(np.arange(len(titles)), [len(ws) for ws in words])
    columns = np.array([vocabulary[word] for ws in words for word in ws])
    weight = np.log(len(titles) / np.bincount(columns))
    matrix = scipy.sparse.csr_matrix((weight[columns], (rows, columns)))
    start = np.random.default_rng(0).normal(size=min(matrix.shape))
    left, values, _ = scipy.sparse.linalg.svds(matrix, k=dimension, v0=start)
    return left * values


def text_vectors(data: Path) -> np.ndarray:
    """Returns the text vectors of a prepared data set's items, in the order of the sample's."""
    from tfrec.data.dataset import PreparedDataset
    from tfrec.training.text import item_text_vectors

    dataset = PreparedDataset.open(data)
    vectors = item_text_vectors(dataset, load_config(sample_path() / "config.yaml").text)
    row = dataset.item_index()
    items = pd.read_parquet(sample_path() / "items.parquet", columns=["item_id"])
    return vectors[[row[item_id] - 1 for item_id in items["item_id"]]]


def make_reference(shop: TimedLog, end: date) -> Reference:
    """Returns the reference that an export on the day `end` would have."""
    return shop.between(max(end - timedelta(days=REFERENCE_DAYS), FIRST_DAY), end).reference()


def is_ordinary(week: Week) -> bool:
    """Whether a week ends before the autumn."""
    return week.end <= ORDINARY_UNTIL


def is_season(week: Week) -> bool:
    """Whether a week begins in the season."""
    return week.end - timedelta(days=7) >= SEASON_FROM


def raised(weeks: list[Week]) -> list[Alert]:
    """Returns the alerts that began in these weeks."""
    return [alert for week in weeks for alert in week.alerts if alert.state == "raised"]


def months(weeks: list[Week]) -> float:
    """Returns the length of some weeks in months."""
    return len(weeks) * 7 / DAYS_PER_MONTH


def _monthly(shop: TimedLog) -> list[Week]:
    """Returns the weeks of a shop that exports anew on the first of every month."""
    weeks: list[Week] = []
    starts = [*REFERENCE_ENDS, *(date(2011, month, 1) for month in (9, 10, 11, 12))]
    for day, following in zip(starts, [*starts[1:], None], strict=True):
        start = weeks[-1].end if weeks else day
        weeks += replay(shop, make_reference(shop, day), start, following)
    return weeks


def _summary(name: str, weeks: list[Week]) -> dict[str, object]:
    ordinary = [week for week in weeks if is_ordinary(week)]
    season = [week for week in weeks if is_season(week)]
    false_alarms = raised(ordinary)
    # An alert may have begun before and go on; that one is raised all the same.
    first = next((alert for alert in raised([w for w in weeks if not is_ordinary(w)])), None)
    return {
        "reference": name,
        "ordinary_weeks": len(ordinary),
        "false_alarms": len(false_alarms),
        "false_alarms_per_month": len(false_alarms) / months(ordinary) if ordinary else None,
        "false_alarms_of": sorted({alert.metric.split("/")[2] for alert in false_alarms}),
        "ordinary_weeks_raised": sum(bool(week.firing) for week in ordinary),
        "season_weeks": len(season),
        "season_weeks_raised": sum(bool(week.firing) for week in season),
        "first_alert_of_autumn": first and first.to_json()["time_utc"],
        "message": first and first.message,
    }


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="The demo's data set, for the text vectors of BERT; without it, words of the titles.",
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="also write the figures")
def main(data: Path | None, json_path: Path | None) -> None:
    console = Console()
    shop = load_shop(None if data is None else text_vectors(data))
    summaries = []
    for end in progress(REFERENCE_ENDS, description="Replaying", unit="reference"):
        weeks = list(replay(shop, make_reference(shop, end), end))
        summaries.append(_summary(f"up to {end}", weeks))
    summaries.append(_summary("anew every month", _monthly(shop)))
    table = Table(
        title=f"Online Retail by weeks, rule {RULE}",
        caption=f"ordinary: up to {ORDINARY_UNTIL}; season: from {SEASON_FROM} on",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("reference", min_width=16)
    for name in ("ordinary weeks", "false alarms", "a month", "season weeks raised"):
        table.add_column(name, justify="right")
    table.add_column("first alert", no_wrap=True)
    for row in summaries:
        rate = row["false_alarms_per_month"]
        table.add_row(
            str(row["reference"]),
            str(row["ordinary_weeks"]),
            str(row["false_alarms"]),
            "-" if rate is None else f"{rate:.2f}",
            f"{row['season_weeks_raised']} of {row['season_weeks']}",
            str(row["first_alert_of_autumn"] or "-")[:10],
        )
    console.print(table)
    console.print(str(summaries[-2]["message"]), markup=False)
    if json_path is not None:
        write_json(json_path, summaries)


if __name__ == "__main__":
    main()
