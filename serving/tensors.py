"""Python values to and from TensorProto, by the public wire format."""

import math
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from serving import wire

DT_FLOAT = 1
DT_DOUBLE = 2
DT_INT32 = 3
DT_STRING = 7
DT_INT64 = 9
DT_BOOL = 10

# dtype -> (field that holds one value an element, struct code of `tensor_content`)
FIELDS: dict[int, tuple[str, str]] = {
    DT_FLOAT: ("float_val", "f"),
    DT_DOUBLE: ("double_val", "d"),
    DT_INT32: ("int_val", "i"),
    4: ("int_val", "B"),
    5: ("int_val", "h"),
    6: ("int_val", "b"),
    DT_STRING: ("string_val", ""),
    DT_INT64: ("int64_val", "q"),
    DT_BOOL: ("bool_val", "?"),
    17: ("int_val", "H"),
    22: ("uint32_val", "I"),
    23: ("uint64_val", "Q"),
}


def make(dtype: int, shape: Sequence[int], values: Iterable[Any]) -> Any:
    """Returns a TensorProto of `shape` with `values` in row-major order.

    Args:
        dtype: a number of ``tensorflow.DataType``, one of `FIELDS`.
        shape: the sizes of the dimensions; empty for a scalar.
        values: as many as the shape has elements; str or bytes for DT_STRING.

    Raises:
        ValueError: if the number of values does not fit the shape.
    """
    field, _ = FIELDS[dtype]
    if dtype == DT_STRING:
        values = [value.encode() if isinstance(value, str) else value for value in values]
    proto = wire.TensorProto(dtype=dtype)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    # An empty shape message still says "scalar", which an absent one would too: set it always.
    proto.tensor_shape.SetInParent()
    target = getattr(proto, field)
    target.extend(values)
    if len(target) != math.prod(shape):
        raise ValueError(
            f"`values` should have {math.prod(shape)} elements for shape {list(shape)}. "
            f"Received: {len(target)}"
        )
    return proto


def shape_of(proto: Any) -> tuple[int, ...]:
    """Returns the sizes of a TensorProto's dimensions."""
    return tuple(dim.size for dim in proto.tensor_shape.dim)


def values_of(proto: Any) -> list[Any]:
    """Returns a TensorProto's elements in row-major order; strings as bytes.

    Both encodings are read: one field entry an element (a shorter list repeats its last
    entry, as the format says), and packed bytes in ``tensor_content``.

    Raises:
        ValueError: if the element type is none of `FIELDS`.
    """
    if proto.dtype not in FIELDS:
        raise ValueError(f"cannot read a tensor of dtype number {proto.dtype}")
    field, code = FIELDS[proto.dtype]
    count = math.prod(shape_of(proto))
    if proto.tensor_content:
        return list(struct.unpack(f"<{count}{code}", proto.tensor_content))
    values = list(getattr(proto, field))
    if len(values) < count:
        filler = values[-1] if values else (b"" if proto.dtype == DT_STRING else 0)
        values += [filler] * (count - len(values))
    return values
