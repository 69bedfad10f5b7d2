"""What is wrong with a configuration, in the words of someone who writes YAML."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

REMOVED = {
    "update.validation_shoppers": "whether an update is served is for its guardrails to say",
}
"""Keys that there were once, and why there are none now. Stored configurations may have them."""

# What pydantic asks for.
_EXPECTATIONS = {
    "bool_type": "should be true or false",
    "dict_type": "should be a section of keys",
    "finite_number": "should be a finite number",
    "float_type": "should be a number",
    "greater_than": "should be greater than {gt:g}",
    "greater_than_equal": "should be at least {ge:g}",
    "int_from_float": "should be a whole number",
    "int_type": "should be a whole number",
    "less_than": "should be less than {lt:g}",
    "less_than_equal": "should be at most {le:g}",
    "list_type": "should be a list, such as [a, b]",
    "literal_error": "should be {expected}",
    "missing": "is missing, and has no default",
    "model_type": "should be a section of keys",
    "string_type": "should be a text; put it in quotes",
    "too_short": "should have at least {min_length} elements",
}


def section_class(section: type[BaseModel], key: Any) -> type[BaseModel] | None:
    """Returns the class of the section (or of the elements of the list) at `key`, if it is one."""
    field = section.model_fields.get(key)
    if field is None:
        return None
    # The class itself, one in a list, or either of them or nothing.
    candidates = [field.annotation]
    for candidate in candidates:
        candidates.extend(get_args(candidate))
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def first_mistake(error: ValidationError, root: type[BaseModel]) -> str:
    """Returns the first mistake that was found in a configuration of the class `root`."""
    mistakes = error.errors(include_url=False)
    # An unknown key comes first: a missing key beside it is usually the same slip.
    mistakes.sort(key=lambda mistake: mistake["type"] != "extra_forbidden")
    mistake = mistakes[0]
    others = len(mistakes) - 1
    more = f" ({others} more mistake{'s' * (others > 1)} in the file)" if others else ""
    path = _dotted(mistake["loc"])
    if mistake["type"] == "extra_forbidden" and path in REMOVED:
        return f"the key `{path}` was removed, as {REMOVED[path]}; leave it out{more}"
    if mistake["type"] == "extra_forbidden":
        return f"unknown key `{path}`; {_hint(mistake['loc'], root)}{more}"
    if mistake["type"] == "value_error":
        expectation = mistake["msg"].removeprefix("Value error, ")
        return f"`{path}`: {expectation}{more}"
    expectation = _EXPECTATIONS.get(mistake["type"], mistake["msg"])
    expectation = expectation.format(**mistake.get("ctx", {}))
    received = "" if mistake["type"] == "missing" else f". Received: {mistake['input']!r}"
    return f"`{path}` {expectation}{received}{more}"


def _dotted(location: tuple[int | str, ...]) -> str:
    """Returns ``data.categorical_columns[0].column``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _hint(location: tuple[int | str, ...], root: type[BaseModel]) -> str:
    """Returns what may have been meant by an unknown key."""
    section = root
    for part in location[:-1]:
        section = section_class(section, part) or section
    key = str(location[-1])
    valid = list(section.model_fields)
    close = difflib.get_close_matches(key, valid, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{_dotted((*location[:-1], close[0]))}`?"
    elsewhere = [path for path in _key_paths(root) if path.split(".")[-1] == key]
    if elsewhere:
        return f"it belongs at {' or '.join(f'`{path}`' for path in elsewhere)}"
    return f"valid keys here: {', '.join(valid)}"


def _key_paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for key in section.model_fields:
        yield prefix + key
        inner = section_class(section, key)
        if inner:
            yield from _key_paths(inner, f"{prefix}{key}.")
