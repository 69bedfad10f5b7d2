"""Documents of the REST interface: read, and described in the official server's errors."""

import base64
import binascii
import json
from typing import Any

import numpy as np

from serving.server.statuses import Code, ServingError

BASE64_KEY = "b64"


def parse(body: bytes) -> dict[str, Any]:
    """Reads the object that every request's body is.

    Raises:
        ServingError: INVALID_ARGUMENT if it is none.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown(document)} Is not object")
    return document


def signature_name(document: dict[str, Any]) -> str:
    """Returns the signature that a document asks for; "" for the default one.

    Raises:
        ServingError: INVALID_ARGUMENT if it is no text.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be "
            "a string value."
        )
    return name


def is_base64(value: Any) -> bool:
    """Says whether a value is an object that holds bytes: ``{"b64": "..."}``."""
    return isinstance(value, dict) and set(value) == {BASE64_KEY} and type(value["b64"]) is str


def bytes_of(value: Any) -> bytes:
    """Returns the bytes of a text or of an `is_base64` object.

    Raises:
        ServingError: INVALID_ARGUMENT if the object's text is not base64.
    """
    if isinstance(value, str):
        # Escapes such as \ud800 are JSON but no text; they go on as what they spell.
        return value.encode("utf-8", errors="surrogatepass")
    try:
        return base64.b64decode(value[BASE64_KEY], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def base64_object(value: bytes) -> dict[str, str]:
    """Returns the object that holds `value`."""
    return {BASE64_KEY: base64.b64encode(value).decode()}


def shown(value: Any) -> str:
    """Returns the beginning of a value's JSON, for an error."""
    return json.dumps(value, ensure_ascii=False)[:200]


def kind_of(value: Any) -> str:
    """Returns what the official server calls the type of a JSON value."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    kinds: dict[type, str] = {dict: "Object", list: "Array", str: "String"}
    return kinds.get(type(value), "Number")


def short_float(value: float) -> float:
    """Returns a float32 as six digits if they are enough to tell it, else as nine."""
    short = float(f"{value:.6g}")
    return short if np.float32(short) == value else float(f"{value:.9g}")


def invalid(text: str) -> ServingError:
    """Returns the error of a request that cannot be read."""
    return ServingError(Code.INVALID_ARGUMENT, text)
