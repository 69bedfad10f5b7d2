import math

import numpy as np
import pytest
import tensorflow as tf

from serving import tensors, wire

NUMBERS = {
    tf.float32: [1.5, -2.0],
    tf.float64: [1e300, 0.1],
    tf.int32: [-(2**31), 2**31 - 1],
    tf.uint8: [0, 255],
    tf.int16: [-32768, 7],
    tf.int8: [-128, 127],
    tf.int64: [-(2**63), 2**63 - 1],
    tf.bool: [True, False],
    tf.uint16: [0, 65535],
    tf.uint32: [0, 2**32 - 1],
    tf.uint64: [0, 2**64 - 1],
}


@pytest.mark.parametrize(("dtype", "values"), NUMBERS.items(), ids=lambda value: str(value))
def test_numbers_round_trip_through_tensorflow(dtype, values):
    ours = tensors.make(dtype.as_datatype_enum, [2, 1], values)
    official = tf.make_tensor_proto(np.zeros(1)).FromString(ours.SerializeToString())
    array = tf.make_ndarray(official)
    assert array.dtype == dtype.as_numpy_dtype
    assert array.tolist() == [[values[0]], [values[1]]]
    # make_tensor_proto writes numbers as packed bytes, the other of the two encodings.
    packed = tf.make_tensor_proto(array)
    assert tensors.values_of(wire.TensorProto.FromString(packed.SerializeToString())) == values


def test_strings_keep_every_byte():
    values = ["", "a" * 100, "Käse 起司", b"\xff\x00"]
    proto = tensors.make(tensors.DT_STRING, [4], values)
    official = tf.make_tensor_proto("").FromString(proto.SerializeToString())
    expected = [value.encode() if isinstance(value, str) else value for value in values]
    assert tf.make_ndarray(official).tolist() == expected
    assert tensors.values_of(proto) == expected


def test_a_short_list_repeats_its_last_value():
    proto = wire.TensorProto(dtype=tensors.DT_FLOAT, float_val=[3.0])
    for size in (2, 2):
        proto.tensor_shape.dim.add(size=size)
    assert tensors.values_of(proto) == [3.0, 3.0, 3.0, 3.0]
    assert tensors.shape_of(proto) == (2, 2)


def test_a_scalar_has_one_value_and_no_dimension():
    proto = tensors.make(tensors.DT_FLOAT, [], [math.pi])
    assert tensors.shape_of(proto) == ()
    assert tensors.values_of(proto) == [pytest.approx(math.pi)]


def test_values_that_do_not_fit_the_shape_are_refused():
    with pytest.raises(ValueError, match=r"should have 4 elements for shape \[2, 2\]. Received: 3"):
        tensors.make(tensors.DT_FLOAT, [2, 2], [1.0, 2.0, 3.0])


def test_an_unreadable_dtype_is_named():
    with pytest.raises(ValueError, match="dtype number 20"):
        tensors.values_of(wire.TensorProto(dtype=20))
