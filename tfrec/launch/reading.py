"""Reads what a forecast is made of: a log, its catalogue, and the products to come."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tfrec.config import DataConfig
from tfrec.data import rules
from tfrec.data.adapters import find_adapter
from tfrec.data.catalogue import build_catalogue
from tfrec.data.events import type_events
from tfrec.data.log import order_log
from tfrec.data.table import Table
from tfrec.data.timestamps import now
from tfrec.errors import UserError
from tfrec.launch.sales import Sales

UNITS = ["quantity", "value"]
MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class Shop:
    """A log and its catalogue.

    Attributes:
        items: the item table; its rows are those of `sales`.
        sales: the purchases.
    """

    items: pd.DataFrame
    sales: Sales


def read_shop(events: str | Path, items: str | Path, config: DataConfig) -> Shop:
    """Reads the purchases of a log as the preparation of data reads them.

    Where the log has no purchases, all its target events count as such.

    Raises:
        UserError: if an input cannot be used, or events have no time.
    """
    adapter = find_adapter(config.adapter)
    catalogue = build_catalogue(adapter.items(items), config).frame
    table = adapter.events(events)
    typed = type_events(table, config, now=now(), timestamp_unit=adapter.timestamp_unit)
    if typed.timestamps is None:
        raise UserError(
            f"{table.label} has no column `timestamp`, and a launch is forecast from the days on "
            "which products were sold; add the column"
        )
    if config.duplicates == "reject":
        table.reject(rules.duplicated_rows(table), "duplicate")
    index = pd.Index(catalogue["item_id"]).get_indexer(typed.frame["item_id"])
    table.reject(index < 0, "unknown_item")
    log = order_log(
        typed.frame,
        table.kept,
        index + 1,
        event_types=config.event_types,
        value_columns=UNITS,
        context_columns=[],
        salt=config.user_salt,
        by_position=False,
    )
    counted = [config.purchase_event]
    if config.purchase_event not in log.event_types:
        counted = config.target_events or [e for e in log.event_types if e != config.return_event]
    log = log.take(log.is_event(counted))
    if not len(log):
        raise UserError(
            f"no purchase of {table.label} is of an item of the catalogue; check the item ids"
        )
    day = log.microseconds // MICROSECONDS_PER_DAY
    first = int(day.min())
    return Shop(
        items=catalogue.reset_index(drop=True),
        sales=Sales(
            origin=np.datetime64(first, "D"),
            users=log.user_hashes,
            num_items=len(catalogue),
            user=log.user.astype(np.int64),
            item=log.item.astype(np.int64) - 1,
            day=day - first,
            units=np.maximum(log.value.astype(float), 0.0),
        ),
    )


def read_new_items(source: str | Path, config: DataConfig, shop: Shop) -> pd.DataFrame:
    """Reads the products to come and checks that each has a title and was never sold.

    Returns:
        The item table of them, with the columns of `shop.items`.

    Raises:
        UserError: if the file cannot be used, or a product is on sale or has no title.
    """
    # Not the adapter of the source: products to come are no part of any published data set.
    table = find_adapter("generic").items(source)
    fresh = build_catalogue(table, config.model_copy(update={"missing_titles": "keep"})).frame
    fresh = fresh.reset_index(drop=True)
    _check_rejected(table)
    untitled = fresh.loc[fresh["title"] == "", "item_id"]
    if len(untitled):
        raise UserError(
            f"{_some(untitled)} of {table.label} {_has(untitled, 'has', 'have')} no title, from "
            "which a launch is forecast; add titles, or leave the rows out"
        )
    sold = shop.items["item_id"][shop.sales.first_day < shop.sales.end]
    known = fresh.loc[fresh["item_id"].isin(sold), "item_id"]
    if len(known):
        raise UserError(
            f"{_some(known)} of {table.label} {_has(known, 'was', 'were')} already sold in the "
            "event log; give only products that are not yet on sale"
        )
    return fresh


def _check_rejected(table: Table) -> None:
    for reason, place in table.examples().items():
        raise UserError(
            f"{place} cannot be forecast ({reason.replace('_', ' ')}), and {len(table)} rows were "
            "read; mend the row or leave it out"
        )


def _some(ids: pd.Series) -> str:
    shown = ", ".join(ids[:3])
    return f"{shown} and {len(ids) - 3} more" if len(ids) > 3 else shown


def _has(ids: pd.Series, one: str, many: str) -> str:
    return one if len(ids) == 1 else many
