"""Real shoppers for a load test: histories from a file of JSON lines."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving.errors import InvalidRequestError

LISTS = {"history": str, "events": str, "timestamps": int}


@dataclass(frozen=True)
class Shopper:
    """What one shopper did.

    Attributes:
        history: item ids, oldest first; may be empty.
        events: what was done with each; None where the file does not say.
        timestamps: when, in unix seconds; None where the file does not say.
        context: values of the model's context features.
    """

    history: tuple[str, ...]
    events: tuple[str, ...] | None = None
    timestamps: tuple[int, ...] | None = None
    context: Mapping[str, str] = field(default_factory=dict)

    def latest(self, count: int) -> "Shopper":
        """Returns the same shopper with the last `count` events only."""
        start = max(0, len(self.history) - count)
        return Shopper(
            self.history[start:],
            self.events[start:] if self.events is not None else None,
            self.timestamps[start:] if self.timestamps is not None else None,
            self.context,
        )


def read_shoppers(path: Path) -> list[Shopper]:
    """Reads a file of JSON lines, each an object with the attributes of a `Shopper`.

    Only ``history`` is needed. `tfrec data histories` writes such files.

    Raises:
        InvalidRequestError: if the file cannot be read or a line is no such object.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InvalidRequestError(
            f"cannot read the histories file {path} ({error.strerror}); write one with "
            "`tfrec data histories`"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{path} is not UTF-8 text ({error.reason})") from error
    shoppers = [_shopper(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    if not shoppers:
        raise InvalidRequestError(f"there is no history in {path}")
    return shoppers


def _shopper(line: str, where: str) -> Shopper:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidRequestError(f"{where} is no JSON object ({error.msg})") from error
    if not isinstance(row, dict) or "history" not in row:
        raise InvalidRequestError(f'{where} should be an object such as {{"history": ["ID"]}}')
    unknown = sorted(set(row) - {*LISTS, "context"})
    if unknown:
        raise InvalidRequestError(
            f"{where} has the unknown field {unknown[0]}; known are {', '.join(LISTS)}, context"
        )
    lists = {
        name: _values(row[name], name, kind, where) for name, kind in LISTS.items() if name in row
    }
    for name, values in lists.items():
        if len(values) != len(lists["history"]):
            raise InvalidRequestError(
                f"{where}: {name} should have one entry an item of the history: "
                f"{len(lists['history'])}, not {len(values)}"
            )
    context = row.get("context", {})
    if not isinstance(context, dict) or not all(isinstance(one, str) for one in context.values()):
        raise InvalidRequestError(f"{where}: context should be an object of texts")
    return Shopper(**lists, context=context)


def _values(values: Any, name: str, kind: type, where: str) -> tuple[Any, ...]:
    # A bool is an int to Python, and no time.
    if not isinstance(values, list) or not all(type(one) is kind for one in values):
        what = "texts" if kind is str else "whole numbers"
        raise InvalidRequestError(f"{where}: {name} should be a list of {what}")
    return tuple(values)
