"""Which events of a batch cannot join a log, though each by itself could be used."""

import numpy as np
import pandas as pd

from tfrec.config import DataConfig
from tfrec.data import rules
from tfrec.data.log import EventLog
from tfrec.data.table import Table
from tfrec.data.writing import iso_time
from tfrec.errors import UserError
from tfrec.updating.log import table_of_log

KNOWN, ROBOT, WRONG_CLOCK = "already_known", "too_many_events", "clock_ahead"
FEW = 0.01
"""What lies beyond a gap is left out up to this share of a batch, as the fault of a clock."""
MANY = 0.5
"""From this share on it is the shop that went on after a while."""
DAY_MICROSECONDS = 86_400_000_000


def reject_robots(table: Table, frame: pd.DataFrame, most: int) -> None:
    """Rejects all events of shoppers who have more than `most` in the batch.

    Args:
        table: the batch, whose rejections are noted.
        frame: its typed events, row by row.
        most: events of one shopper.
    """
    users = frame["user_id"].where(table.kept)
    sizes = users.map(users.value_counts())
    table.reject((sizes > most).fillna(False).to_numpy(bool), ROBOT)


def reject_wrong_clocks(
    table: Table, frame: pd.DataFrame, log: pd.DataFrame, gap_days: int
) -> None:
    """Rejects a few events that come long after all others of batch and log.

    Args:
        table: the batch, whose rejections are noted.
        frame: its typed events, row by row.
        log: the log that it joins.
        gap_days: how long.

    Raises:
        UserError: if they are more than a few, and yet not most of the batch.
    """
    times = frame["timestamp"].to_numpy().astype("datetime64[us]").astype(np.int64)
    mine = times[table.kept]
    if not len(mine):
        return
    gap = gap_days * DAY_MICROSECONDS
    end = int(log["microseconds"].max())
    later = np.sort(np.append(mine[mine > end], end))
    places = np.flatnonzero(np.diff(later) > gap)
    for place in places:
        beyond = len(later) - place - 1
        if beyond <= FEW * len(mine):
            table.reject(table.kept & (times > later[place]), WRONG_CLOCK)
            return
        if beyond < MANY * len(mine):
            raise UserError(
                f"{beyond:,} of {len(mine):,} events of {table.label} come more than {gap_days} "
                f"days after all others, from {iso_time(int(later[place + 1]))} on, so the batch "
                "is refused and nothing changed; set the clock right that wrote them, or raise "
                "update.gap_days if the shop was closed for so long"
            )


def reject_known(
    table: Table, accepted: EventLog, log: pd.DataFrame, config: DataConfig
) -> EventLog:
    """Rejects the events that the log has already, and returns the others.

    Args:
        table: the batch, whose rejections are noted.
        accepted: its events that have been accepted so far.
        log: the log that they join.
        config: whether duplicates are rejected.
    """
    if config.duplicates != "reject" or not len(accepted):
        return accepted
    batch = table_of_log(accepted)
    overlap = log[log["microseconds"] >= int(batch["microseconds"].min()) // 1_000_000 * 1_000_000]
    known = _keys(batch).isin(_keys(overlap)) if len(overlap) else np.zeros(len(batch), bool)
    table.reject_rows(accepted.rows[known], KNOWN)
    return accepted.take(~known)


def reject_returns(
    table: Table, accepted: EventLog, log: pd.DataFrame, config: DataConfig
) -> EventLog:
    """Rejects returns of what was bought neither before nor in the batch; returns the others.

    Args: those of `reject_known`; of `config`, the names of purchases and returns.
    """
    types = accepted.event_types
    if config.purchase_event not in types or config.return_event not in types or not len(accepted):
        return accepted
    batch = table_of_log(accepted).assign(place=np.arange(len(accepted)))
    joint = pd.concat([log[log["user"].isin(batch["user"])].assign(place=-1), batch])
    joint = joint.sort_values(["user", "microseconds"], kind="stable")
    wrong = rules.returns_without_purchase(
        pd.factorize(joint["user"])[0],
        joint["item"].to_numpy(),
        (joint["event"] == types.index(config.purchase_event) + 1).to_numpy(),
        (joint["event"] == types.index(config.return_event) + 1).to_numpy(),
    )
    places = joint["place"].to_numpy()[wrong]
    mask = np.zeros(len(accepted), bool)
    mask[places[places >= 0]] = True
    table.reject_rows(accepted.rows[mask], "return_without_purchase")
    return accepted.take(~mask)


def _keys(frame: pd.DataFrame) -> pd.MultiIndex:
    """Returns what tells events apart; a prepared log knows seconds and no values."""
    seconds = frame["microseconds"] // 1_000_000
    return pd.MultiIndex.from_arrays(
        [frame["user"].astype("str"), frame["item"], frame["event"], seconds]
    )
