"""Names of tensors that come from names in the data."""

import re
from collections.abc import Iterable

PROBABILITY = "probability_"
CONTEXT = "context_"


def tensor_names(names: Iterable[str], prefix: str = "") -> dict[str, str]:
    """Returns a valid, distinct tensor name for each of `names`.

    What is not an ASCII letter, a digit or "_" becomes "_"; where two names would then be the
    same, the later ones get a number.

    Args:
        names: names of columns or event types.
        prefix: stands before every tensor name.
    """
    given: dict[str, str] = {}
    for name in names:
        plain = prefix + re.sub(r"[^A-Za-z0-9_]", "_", name)
        if not plain[:1].isalpha():
            plain = f"column_{plain}"
        unique, number = plain, 2
        while unique in given.values():
            unique, number = f"{plain}_{number}", number + 1
        given[name] = unique
    return given
