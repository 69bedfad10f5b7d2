"""Reads the whole event log of a gateway."""

from pathlib import Path

from tfrec.errors import UserError
from tfrec.monitoring.live.event_log import EventLogReader, LogLine
from tfrec.progress import progress


def read_log(folder: Path, until: float | None = None) -> tuple[list[LogLine], int]:
    """Returns the lines of a log, and how many could not be read.

    Args:
        folder: the log's.
        until: lines received from then on, in unix seconds, are left out; None for none.

    Raises:
        UserError: if there is no such folder.
    """
    reader = EventLogReader(folder)
    lines = list(progress(reader.read(), description="Reading the log", unit="line"))
    if not reader.found:
        raise UserError(
            f"there is no event log {folder}; give the folder that the gateway got as --events-log"
        )
    if until is not None:
        lines = [line for line in lines if line.received < until]
    return lines, reader.bad_lines
