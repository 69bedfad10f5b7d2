"""Where each model ranked each target: what curves by shopper or by item are drawn from."""

from typing import TYPE_CHECKING

import numpy as np

from tfrec.evaluation.metrics import NEVER_SHOWN, case_of_target

if TYPE_CHECKING:
    import pandas as pd

    from tfrec.evaluation.cases import Cases
    from tfrec.evaluation.report import Report


def rank_table(report: "Report", cases: "Cases", item_ids: np.ndarray) -> "pd.DataFrame":
    """Returns a row for each model and target.

    Columns: `model`; `user`, the shopper's hash as the data set has it; `item_id`; `history`,
    events of the shopper before the split; `train_events`, events of the item in training; `rank`
    from 1, missing where the model never shows the target.

    Args:
        report: the results.
        cases: what they were measured on.
        item_ids: str `[num_items]`, in the order of the catalogue.

    Raises:
        ValueError: if the results are of other shoppers or targets.
    """
    import pandas as pd

    case = case_of_target(cases.target_offsets)
    tables = []
    for result in report.results:
        if not np.array_equal(result.indices, cases.indices) or len(result.ranks) != len(case):
            raise ValueError(
                f"`cases` should be those of the results. Received: {len(cases)} shoppers with "
                f"{len(case)} targets, and {result.cases} with {len(result.ranks)} of {result.name}"
            )
        shown = result.ranks != NEVER_SHOWN
        tables.append(
            pd.DataFrame(
                {
                    "model": result.name,
                    "user": cases.histories.user[case],
                    "item_id": item_ids[cases.target_item - 1],
                    "history": cases.histories.lengths[case],
                    "train_events": cases.train_events[cases.target_item - 1],
                    "rank": pd.Series(result.ranks, dtype="Int64").where(shown),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)
