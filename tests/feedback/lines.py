"""Lines of a small event log, read as the library reads them."""

import json

from tests.monitoring.shop import event_line, served_line
from tfrec.monitoring.live.event_log import read_line

DAY = 86_400.0
START = 1_700_000_000.0


def shown(time, items=("a", "b", "c"), user="u", number=0, **fields):
    """A list that was served `time` seconds after the start."""
    return _read(served_line(START + time, user=user, number=number, items=items, **fields))


def did(time, item, event="click", user="u", number=None, **fields):
    """What a shopper did; `number` is that of the list which the event names."""
    name = None if number is None else f"1-{number:016x}"
    return _read(event_line(START + time, item, event, user, name, **fields))


def end(days=30.0):
    """A last line, long after the others, so that every window is over."""
    return did(days * DAY, "elsewhere", user="z")


def _read(row):
    line = read_line(json.dumps(row).encode())
    assert line is not None
    return line
