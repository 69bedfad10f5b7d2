"""The REST format: JSON to request messages and back, by rows or by columns."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from serving import tensors, wire
from serving.server.statuses import Code, ServingError

_INTEGERS = {3, 4, 5, 6, 9, 17, 22, 23}
_FLOATS = {1, 2}
_KINDS = {
    **dict.fromkeys(_INTEGERS, "an integer"),
    **dict.fromkeys(_FLOATS, "a number"),
    tensors.DT_STRING: "a string",
    tensors.DT_BOOL: "a boolean",
}


def request_from_json(body: bytes, signatures: Mapping[str, Any]) -> tuple[Any, bool]:
    """Reads the body of a ``:predict`` call.

    Args:
        body: JSON with ``instances`` (rows) or ``inputs`` (columns), and maybe
            ``signature_name``.
        signatures: the model's SignatureDefs by name.

    Returns:
        A PredictRequest without a name and version, and whether it came by rows.

    Raises:
        ServingError: INVALID_ARGUMENT, or FAILED_PRECONDITION for an unknown signature.
    """
    try:
        document = json.loads(body)
    except (ValueError, UnicodeDecodeError) as error:
        raise _invalid(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise _invalid("JSON Value: not an object; send instances or inputs in one")
    name = document.get("signature_name") or "serving_default"
    if name not in signatures:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    by_row = "instances" in document
    if by_row == ("inputs" in document):
        raise _invalid("Request must have either 'instances' or 'inputs', and not both")
    specs = signatures[name].inputs
    if by_row:
        columns = _columns_of_rows(document["instances"], specs)
    else:
        columns = _columns(document["inputs"], specs)
    request = wire.PredictRequest()
    request.model_spec.signature_name = name
    for alias, value in columns.items():
        request.inputs[alias].CopyFrom(_tensor(alias, value, specs[alias].dtype))
    return request, by_row


def response_to_json(response: Any, by_row: bool) -> str:
    """Writes a PredictResponse as the body of an answer.

    Raises:
        ServingError: INVALID_ARGUMENT if rows are asked for and outputs have no common number
            of them.
    """
    outputs = {
        alias: (tensors.shape_of(proto), _nested(alias, proto))
        for alias, proto in sorted(response.outputs.items())
    }
    values = {alias: value for alias, (_, value) in outputs.items()}
    if not by_row:
        only = next(iter(values.values())) if len(values) == 1 else values
        return json.dumps({"outputs": only}, ensure_ascii=False)
    sizes = {shape[0] if shape else None for shape, _ in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise _invalid("outputs have no common batch size; ask by columns ('inputs') instead")
    if len(values) == 1:
        rows = next(iter(values.values()))
    else:
        rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return json.dumps({"predictions": rows}, ensure_ascii=False)


def _columns_of_rows(rows: Any, specs: Mapping[str, Any]) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows:
        raise _invalid("'instances' should be a list with at least one row")
    if len(specs) == 1:
        alias = next(iter(specs))
        named = all(isinstance(row, dict) and set(row) == {alias} for row in rows)
        return {alias: [row[alias] if named else row for row in rows]}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) != set(specs):
            raise _invalid(
                f"'instances' row {number} should be an object with the inputs {_names(specs)}"
            )
    return {alias: [row[alias] for row in rows] for alias in specs}


def _columns(columns: Any, specs: Mapping[str, Any]) -> dict[str, Any]:
    if len(specs) == 1 and not (isinstance(columns, dict) and set(columns) == set(specs)):
        return {next(iter(specs)): columns}
    if not isinstance(columns, dict) or set(columns) != set(specs):
        raise _invalid(f"'inputs' should be an object with the inputs {_names(specs)}")
    return columns


def _tensor(alias: str, value: Any, dtype: int) -> Any:
    if dtype not in _KINDS:
        raise ServingError(
            Code.UNIMPLEMENTED, f"input {alias} of dtype number {dtype} cannot be sent as JSON"
        )
    shape: list[int] = []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        if not level:
            break
        level = level[0]
    flat: list[Any] = []
    _flatten(alias, value, shape, flat)
    values = [_element(alias, element, dtype) for element in flat]
    try:
        return tensors.make(dtype, shape, values)
    except (ValueError, OverflowError) as error:
        raise _invalid(f"input {alias} has a value out of the range of its type") from error


def _flatten(alias: str, value: Any, shape: list[int], flat: list[Any]) -> None:
    if not shape:
        if isinstance(value, list):
            raise _invalid(f"input {alias} has lists of unequal depth")
        flat.append(value)
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise _invalid(f"input {alias} has lists of unequal length; pad them")
    for part in value:
        _flatten(alias, part, shape[1:], flat)


def _element(alias: str, value: Any, dtype: int) -> Any:
    if dtype == tensors.DT_STRING:
        if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except binascii.Error as error:
                raise _invalid(f"input {alias} has a b64 value that is not base64") from error
        if isinstance(value, str):
            # Escapes such as \ud800 are JSON but no text; they go on as what they spell.
            return value.encode("utf-8", errors="surrogatepass")
    elif dtype == tensors.DT_BOOL:
        if isinstance(value, bool):
            return value
    elif type(value) is int or (type(value) is float and dtype in _FLOATS):
        return value
    raise _invalid(f"input {alias} should hold {_KINDS[dtype]}, not {json.dumps(value)[:100]}")


def _nested(alias: str, proto: Any) -> Any:
    try:
        values = tensors.values_of(proto)
    except ValueError as error:
        raise ServingError(Code.UNIMPLEMENTED, f"output {alias}: {error}") from error
    if proto.dtype == tensors.DT_STRING:
        if alias.endswith("_bytes"):
            values = [{"b64": base64.b64encode(value).decode()} for value in values]
        else:
            values = [value.decode("utf-8", errors="replace") for value in values]
    elif proto.dtype == tensors.DT_FLOAT:
        # The shortest decimal of a float32, instead of the digits of its double.
        values = [float(f"{value:.9g}") for value in values]
    shape = tensors.shape_of(proto)
    if not shape:
        return values[0]
    for size in reversed(shape[1:]):
        if not size:
            return _empty(shape)
        values = [values[start : start + size] for start in range(0, len(values), size)]
    return values


def _empty(shape: tuple[int, ...]) -> Any:
    if not shape:
        return None
    return [_empty(shape[1:]) for _ in range(shape[0])]


def _names(specs: Mapping[str, Any]) -> str:
    return ", ".join(sorted(specs))


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
