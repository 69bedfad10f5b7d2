"""The demo's data, shipped with the package."""

import importlib.resources
from pathlib import Path


def sample_names() -> list[str]:
    """Returns the names of the shipped data sets."""
    folder = importlib.resources.files(__name__)
    return sorted(
        entry.name for entry in folder.iterdir() if entry.joinpath("events.parquet").is_file()
    )


def sample_path(name: str = "online_retail") -> Path:
    """Returns the folder of a shipped data set.

    It holds ``events.parquet``, ``items.parquet`` and, for the experiment on them,
    ``config.yaml``.

    Raises:
        ValueError: if there is no such data set.
    """
    folder = importlib.resources.files(__name__) / name
    if not folder.is_dir():
        raise ValueError(f"`name` should be 'online_retail'. Received: name={name!r}")
    # A wheel is installed as files, so the resource is a path.
    return Path(str(folder))
