"""Predict over REST: JSON to request messages and back, by rows or by columns."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import tensors, wire
from serving.server import arrays
from serving.server.json_documents import (
    base64_object,
    bytes_of,
    invalid,
    is_base64,
    kind_of,
    parse,
    short_float,
    shown,
    signature_name,
)
from serving.server.predict import DEFAULT_SIGNATURE
from serving.server.statuses import Code, ServingError

# dtype -> whole numbers that a request may hold.
_INTEGERS: dict[int, tuple[int, int]] = {
    3: (-(2**31), 2**31 - 1),
    4: (0, 2**8 - 1),
    5: (-(2**15), 2**15 - 1),
    6: (-(2**7), 2**7 - 1),
    9: (-(2**63), 2**63 - 1),
    17: (0, 2**16 - 1),
    22: (0, 2**32 - 1),
    23: (0, 2**64 - 1),
}
_FLOATS = {tensors.DT_FLOAT: 3.4028235677973366e38, tensors.DT_DOUBLE: math.inf}
_HALF = 19
_WRITABLE = {*_INTEGERS, *_FLOATS, tensors.DT_STRING, tensors.DT_BOOL, _HALF}


def request_from_json(body: bytes, signatures: Mapping[str, Any]) -> tuple[Any, bool]:
    """Reads the body of a ``:predict`` call.

    Args:
        body: JSON with ``instances`` (rows) or ``inputs`` (columns), and maybe
            ``signature_name``.
        signatures: the model's SignatureDefs by name.

    Returns:
        A PredictRequest without a name and version, and whether it came by rows.

    Raises:
        ServingError: INVALID_ARGUMENT.
    """
    document = parse(body)
    name = signature_name(document) or DEFAULT_SIGNATURE
    if name not in signatures:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    specs = signatures[name].inputs
    if not specs:
        raise invalid(f"Failed to get input map for signature: {name}")
    by_row = "instances" in document
    if by_row and "inputs" in document:
        raise invalid(
            f"JSON Value: {shown(document)} Not formatted correctly expecting only one of 'inputs' "
            "or 'instances' keys to exist "
        )
    if by_row:
        columns = _columns_of_rows(document, specs)
    elif "inputs" in document:
        columns = _columns(document["inputs"], specs)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    request = wire.PredictRequest()
    request.model_spec.signature_name = name
    for alias, value in columns.items():
        request.inputs[alias].CopyFrom(_tensor(alias, value, specs[alias].dtype))
    return request, by_row


def response_to_json(response: Any, by_row: bool) -> str:
    """Writes a PredictResponse as the body of an answer.

    Raises:
        ServingError: INVALID_ARGUMENT if rows are asked for and outputs have no common number
            of them, or if a type cannot be written.
    """
    values = {alias: _nested(alias, proto) for alias, proto in sorted(response.outputs.items())}
    if not by_row:
        only = next(iter(values.values())) if len(values) == 1 else values
        return json.dumps({"outputs": only}, ensure_ascii=False)
    rows: int | None = None
    for alias, proto in sorted(response.outputs.items()):
        shape = tensors.shape_of(proto)
        if not shape:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        if rows not in (None, shape[0]):
            raise invalid(
                f"Tensor name: {alias} has inconsistent batch size: {shape[0]} expecting: {rows}"
            )
        rows = shape[0]
    if len(values) == 1:
        predictions = next(iter(values.values()))
    else:
        predictions = [
            dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)
        ]
    return json.dumps({"predictions": predictions}, ensure_ascii=False)


def _columns_of_rows(document: dict[str, Any], specs: Mapping[str, Any]) -> dict[str, list[Any]]:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {shown(document)} Excepting 'instances' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {shown(document)} No values in 'instances' array")
    named = isinstance(rows[0], dict) and not is_base64(rows[0])
    if not named and len(specs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    for number, row in enumerate(rows):
        if (isinstance(row, dict) and not is_base64(row)) != named:
            found = "list" if named else "object"
            wanted = "object" if named else "value/list"
            raise invalid(f"Expecting {wanted} but got {found} at item {number} of input list")
        if named and set(row) != set(specs):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: "
                f"{shown(row)} keys must be equal to: {','.join(sorted(specs))}"
            )
    if named:
        return {alias: [row[alias] for row in rows] for alias in specs}
    return {next(iter(specs)): rows}


def _columns(columns: Any, specs: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(columns, dict) or is_base64(columns):
        if len(specs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        return {next(iter(specs)): columns}
    for alias in sorted(specs):
        if alias not in columns:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
    return {alias: columns[alias] for alias in specs}


def _tensor(alias: str, value: Any, dtype: int) -> Any:
    shape: list[int] = []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        if not level:
            break
        level = level[0]
    flat: list[Any] = []
    _flatten(alias, value, shape, 0, dtype, flat)
    return tensors.make(dtype, shape, flat)


def _flatten(
    alias: str, value: Any, shape: list[int], level: int, dtype: int, flat: list[Any]
) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {shown(value)} of input {alias} found at incorrect level: "
                f"{level + 1} in the JSON DOM. Expected at level: {len(shape)}"
            )
        flat.append(_element(value, dtype))
        return
    if level >= len(shape):
        raise invalid(
            f"Encountered list at unexpected level: {level} expected < {len(shape)} in input "
            f"{alias}"
        )
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]} in input {alias}"
        )
    for part in value:
        _flatten(alias, part, shape, level + 1, dtype, flat)


def _element(value: Any, dtype: int) -> Any:
    if dtype == tensors.DT_STRING:
        if isinstance(value, str) or is_base64(value):
            return bytes_of(value)
        if isinstance(value, dict):
            raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    elif dtype == tensors.DT_BOOL:
        if isinstance(value, bool):
            return value
    elif dtype in _INTEGERS:
        lowest, highest = _INTEGERS[dtype]
        if type(value) is int and lowest <= value <= highest:
            return value
    elif dtype in _FLOATS:
        if type(value) in (int, float):
            if math.isfinite(value) and abs(value) > _FLOATS[dtype]:
                raise invalid(
                    f"Cannot convert JSON value: {shown(value)} to float without loss of precision."
                )
            return value
    else:
        raise ServingError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {shown(value)} to type: {_name(dtype)}"
        )
    raise invalid(
        f"JSON Value: {shown(value)} Type: {kind_of(value)} is not of expected type: {_name(dtype)}"
    )


def _nested(alias: str, proto: Any) -> Any:
    if proto.dtype not in _WRITABLE:
        raise invalid(f"Failed to write JSON value for tensor type: {_name(proto.dtype)}")
    array = arrays.from_proto(proto)
    assert array is not None
    values = array.values
    if proto.dtype == tensors.DT_STRING:
        if alias.endswith("_bytes"):
            write: Any = base64_object
        else:
            write = _text
    elif proto.dtype == tensors.DT_FLOAT:
        write = short_float
    elif proto.dtype == _HALF:
        values, write = values.view(np.float16), float
    else:
        return values.tolist()
    written = np.empty(values.size, np.object_)
    written[:] = [write(value) for value in values.ravel().tolist()]
    return written.reshape(values.shape).tolist()


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _name(dtype: int) -> str:
    """Returns TensorFlow's own name of a dtype, such as "int32"."""
    names = {number: name for name, number in wire.DATA_TYPES.items()}
    return names[dtype].removeprefix("DT_").lower()
