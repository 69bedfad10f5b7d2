"""The data contract: what a typed row must satisfy, and the reason code of each breach."""

import pandas as pd
import pandera.pandas as pa

from tfrec.data.table import Table
from tfrec.data.timestamps import EARLIEST

EVENT_TEXTS = ["user_id", "item_id", "event"]
EVENT_NUMBERS = ["position", "value", "quantity", "rating", "price"]
MARGIN = "margin"
ITEM_NUMBERS = ["price", MARGIN]
ITEM_PHRASES = ["title", "description", "brand", "categories"]

# What a missing cell is called, where a cell may not be missing.
_MISSING = {
    "user_id": "empty_user_id",
    "item_id": "empty_item_id",
    "event": "empty_event",
    "timestamp": "missing_timestamp",
    "position": "missing_position",
    "title": "missing_title",
}


def event_schema(
    *,
    event_types: list[str] | None,
    latest: pd.Timestamp,
    position_required: bool,
    columns: list[str],
) -> pa.DataFrameSchema:
    """Returns the contract of typed event rows.

    Args:
        event_types: the accepted event names; None accepts all.
        latest: a later timestamp is absurd.
        position_required: whether a row without a position is of no use.
        columns: the typed columns that the log has.
    """
    texts = {name: pa.Column("str", nullable=False) for name in EVENT_TEXTS if name != "event"}
    known = pa.Check(lambda events: events.isin(event_types), name="unknown_event")
    everything = {
        **texts,
        "event": pa.Column("str", checks=[known] if event_types else [], nullable=False),
        "timestamp": pa.Column(
            "datetime64[us]",
            checks=[
                pa.Check(lambda times: times >= EARLIEST, name="bad_timestamp"),
                pa.Check(lambda times: times <= latest, name="future_timestamp"),
            ],
            nullable=False,
        ),
        **{name: pa.Column("float64", nullable=True) for name in EVENT_NUMBERS},
        "position": pa.Column("float64", nullable=not position_required),
    }
    return pa.DataFrameSchema({name: everything[name] for name in everything if name in columns})


def item_schema(*, title_required: bool) -> pa.DataFrameSchema:
    """Returns the contract of typed catalogue rows."""
    return pa.DataFrameSchema(
        {
            "item_id": pa.Column("str", nullable=False),
            "title": pa.Column("str", nullable=not title_required),
            **{name: pa.Column("float64", nullable=True, required=False) for name in ITEM_NUMBERS},
            "available": pa.Column("bool", required=False),
        }
    )


def apply_schema(schema: pa.DataFrameSchema, typed: pd.DataFrame, table: Table) -> None:
    """Rejects the rows of `table` that break the contract, each with the code of its breach.

    Args:
        schema: the contract.
        typed: `[n, columns]`, the rows of `table` with their types, same order.
        table: where the verdicts go.
    """
    kept = typed[table.kept]
    try:
        schema.validate(kept, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        unexpected = cases[cases["index"].isna()]
        if len(unexpected):
            first = unexpected.iloc[0]
            raise RuntimeError(
                f"typed rows break the contract itself: {first.to_dict()}"
            ) from error
        # In the order of the columns, so that the reason of a row with two faults is stable.
        for column in schema.columns:
            of_column = cases[cases["column"] == column]
            for check, failures in of_column.groupby("check", sort=False):
                reason = _MISSING[column] if check == "not_nullable" else str(check)
                table.reject_rows(failures["index"].to_numpy(dtype="int64"), reason)
