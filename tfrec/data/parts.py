"""What the readers of all formats share."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from tfrec.errors import UserError

# One file's content: its columns, the position of each row in the file, and the reason why the
# reader itself turned a row away ("" if it did not).
Part = tuple[pa.Table, np.ndarray, list[tuple[int, str]]]

MOST_COLUMNS = 10_000


def check_number_of_columns(path: Path, count: int) -> None:
    """Refuses a table on its side, which would take hours.

    Raises:
        UserError: if there are more than `MOST_COLUMNS`.
    """
    if count > MOST_COLUMNS:
        raise UserError(
            f"{path} has {count:,} columns, more than the {MOST_COLUMNS:,} that a log or a "
            "catalogue may have; is it a table with one row a line, and its first line the header?"
        )
