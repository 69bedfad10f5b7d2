"""Tensors as numpy arrays: read from messages, written to messages, laid out for TensorFlow."""

import math
from typing import Any

import numpy as np

from serving import tensors, wire

# dtype -> (how numpy stores it, field of TensorProto in the encoding that the official server
# answers in). Types that numpy lacks, such as bfloat16, are stored as their bits.
_NUMERIC: dict[int, tuple[Any, str]] = {
    1: (np.float32, "float_val"),
    2: (np.float64, "double_val"),
    3: (np.int32, "int_val"),
    4: (np.uint8, "int_val"),
    5: (np.int16, "int_val"),
    6: (np.int8, "int_val"),
    8: (np.complex64, "scomplex_val"),
    9: (np.int64, "int64_val"),
    10: (np.bool_, "bool_val"),
    11: (np.int8, "int_val"),
    12: (np.uint8, "int_val"),
    13: (np.int32, "int_val"),
    14: (np.uint16, "half_val"),
    15: (np.int16, "int_val"),
    16: (np.uint16, "int_val"),
    17: (np.uint16, "int_val"),
    18: (np.complex128, "dcomplex_val"),
    19: (np.uint16, "half_val"),
    22: (np.uint32, "uint32_val"),
    23: (np.uint64, "uint64_val"),
}
_PARTS = {8: np.float32, 18: np.float64}
# numpy allows 64, TensorFlow 254.
MAX_DIMENSIONS = 32


class Array:
    """A tensor's element type and values.

    Attributes:
        dtype: number of a ``tensorflow.DataType``.
        values: the elements, in the tensor's shape; strings as bytes in an object array.
    """

    __slots__ = ("dtype", "values")

    def __init__(self, dtype: int, values: np.ndarray) -> None:
        self.dtype = dtype
        self.values = values


def storage(dtype: int) -> Any:
    """Returns the numpy type that stores a dtype, or None if there is none."""
    if dtype == tensors.DT_STRING:
        return np.object_
    return _NUMERIC[dtype][0] if dtype in _NUMERIC else None


def from_proto(proto: Any) -> Array | None:
    """Returns the tensor in a TensorProto.

    Returns:
        None if the message is no tensor, or one that only TensorFlow's own decoder can judge.
    """
    dtype = proto.dtype
    store = storage(dtype)
    shape = tensors.shape_of(proto)
    if store is None or proto.tensor_shape.unknown_rank or len(shape) > MAX_DIMENSIONS:
        return None
    if any(size < 0 for size in shape):
        return None
    count = math.prod(shape)
    if dtype == tensors.DT_STRING:
        if proto.tensor_content or len(proto.string_val) != count:
            return None
        values = np.empty(count, np.object_)
        values[:] = proto.string_val
    elif proto.tensor_content:
        if len(proto.tensor_content) != count * np.dtype(store).itemsize:
            return None
        values = np.frombuffer(proto.tensor_content, store)
    else:
        numbers = getattr(proto, _NUMERIC[dtype][1])
        parts = _PARTS.get(dtype)
        if len(numbers) != count * (2 if parts else 1):
            return None
        values = np.array(numbers, parts).view(store) if parts else np.array(numbers).astype(store)
    return Array(dtype, values.reshape(shape))


def to_proto(array: Array) -> Any:
    """Returns a TensorProto, encoded as the official server encodes its answers.

    Raises:
        KeyError: if the dtype cannot be written.
    """
    proto = wire.TensorProto(dtype=array.dtype)
    # An empty shape message still says "scalar", which an absent one would too: set it always.
    proto.tensor_shape.SetInParent()
    for size in array.values.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == tensors.DT_STRING:
        proto.string_val.extend(array.values.ravel().tolist())
        return proto
    _, field = _NUMERIC[array.dtype]
    numbers = np.ascontiguousarray(array.values).ravel()
    parts = _PARTS.get(array.dtype)
    getattr(proto, field).extend((numbers.view(parts) if parts else numbers).tolist())
    return proto
