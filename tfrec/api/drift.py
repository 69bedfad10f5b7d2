"""Has the world moved since a model was exported? A log lived through again, from a notebook."""

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from tfrec.data.dataset import PreparedDataset
from tfrec.display import Displayed
from tfrec.errors import UserError
from tfrec.monitoring.drift.replay import TimedLog, replay


@dataclass(frozen=True, repr=False)
class DriftReplay(Displayed):
    """What the monitor would have seen and told.

    Attributes:
        levels: how much each feature moved in each week, in multiples of the most that an ordinary
            week of the reference period showed; by the day after the week, a column a feature.
        alerts: what was told: columns `time`, `state`, `severity` and `message`.
    """

    levels: pd.DataFrame
    alerts: pd.DataFrame

    def renderables(self) -> list[Table]:
        """Returns the alerts that were raised."""
        table = Table(title="Alerts", box=box.SIMPLE_HEAD, title_justify="left")
        table.add_column("since", no_wrap=True)
        table.add_column("severity")
        table.add_column("message", overflow="fold")
        for alert in self.alerts[self.alerts["state"] == "raised"].itertuples():
            table.add_row(f"{alert.time:%Y-%m-%d}", alert.severity, Text(alert.message))
        return [table]


def replay_drift(
    dataset: PreparedDataset,
    vectors: pd.DataFrame,
    exported: str | date,
    days: int = 182,
) -> DriftReplay:
    """Compares each week of a log with the time before a model's export.

    `tfrec monitor` does the same with the events of the gateway as they come in.

    Args:
        dataset: the prepared data set; its log has times.
        vectors: text vectors by item id, such as `Recommender.text_vectors` returns.
        exported: the day of the export.
        days: how long before it the reference period begins; its own weeks are compared, too.

    Raises:
        UserError: if the log has no times, or no events in the reference period.
    """
    day = pd.Timestamp(exported).date()
    log = TimedLog.of(dataset, vectors.loc[dataset.items["item_id"]].to_numpy())
    start = day - timedelta(days=days)
    before = log.between(start, day)
    if not len(before.timestamp):
        raise UserError(
            f"the data set {dataset.path} has no event from {start} to {day}; give a day of export "
            "within the time of its log"
        )
    weeks = list(replay(log, before.reference(), start))
    told = [alert.to_json() for week in weeks for alert in week.alerts]
    alerts = pd.DataFrame(told, columns=["time_utc", "state", "severity", "message"])
    alerts = alerts.rename(columns={"time_utc": "time"})
    return DriftReplay(
        pd.DataFrame(
            [week.statistics for week in weeks],
            index=pd.DatetimeIndex([week.end for week in weeks], name="week"),
        ),
        alerts.assign(time=pd.to_datetime(alerts["time"])),
    )
