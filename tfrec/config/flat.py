"""A configuration as one flat table, for comparing runs."""

from collections.abc import Mapping
from typing import Any

SECRET = {"data.user_salt"}


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns every value by the path of its key, such as ``retrieval.training.epochs``.

    Secrets are left out. Lists stay values.

    Args:
        content: sections as plain values, as YAML holds them.
        prefix: what the paths begin with.
    """
    values: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{path}.")
        elif path not in SECRET:
            values[path] = value
    return values
