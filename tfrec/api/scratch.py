"""Folders for what a notebook did not name a place for."""

import functools
import itertools
import tempfile
from pathlib import Path

_numbers = itertools.count(1)


def scratch_folder(name: str) -> Path:
    """Returns the path of a folder that does not exist yet and is removed with this process."""
    return Path(_root().name) / f"{name}-{next(_numbers)}"


@functools.cache
def _root() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="tfrec-")
