"""Predict: what good requests get, and the contract's words for bad ones."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.serving.conformance.conftest import GOOD
from tests.serving.conformance.messages import tensor
from tests.serving.conftest import predict_request


def test_an_answer_names_model_version_and_signature(stubs):
    response = stubs.predict("kinds", x=GOOD)
    assert response.model_spec.name == "kinds"
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == {"y", "z"}
    assert tf.make_ndarray(response.outputs["z"]).tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_numeric_version_and_filter_are_obeyed(stubs):
    response = stubs.predict("kinds", version=1, only=["z"], x=GOOD)
    assert set(response.outputs) == {"z"}


def test_answers_are_encoded_value_by_value(stubs):
    """Not as `tensor_content`: clients in other languages read the fields."""
    proto = stubs.predict("kinds", only=["y"], x=GOOD).outputs["y"]
    assert list(proto.float_val) == [2.0, 4.0, 6.0, 8.0]
    assert proto.tensor_content == b""


def test_every_dtype_comes_back_as_it_went(stubs):
    sent = {
        "float32": np.array([[1.5, np.nan]], np.float32),
        "float64": np.array([1e300], np.float64),
        "int32": np.int32([-(2**31)]),
        "uint8": np.uint8([255]),
        "int16": np.int16([-3]),
        "int8": np.int8([-128]),
        "string": np.array([b"", b"x" * 1000, "Käse".encode(), b"\xff\x00"], object),
        "int64": np.array([2**62], np.int64),
        "bool": np.array([True, False]),
        "uint16": np.uint16([65535]),
        "uint32": np.uint32([2**32 - 1]),
        "uint64": np.uint64([2**64 - 1]),
        "float16": np.array([0.5, -2.0], np.float16),
        "bfloat16": tf.constant([0.5, 3.0], tf.bfloat16).numpy(),
        "complex64": np.array([1 + 2j], np.complex64),
        "complex128": np.complex128([[3 - 1j]]),
    }
    inputs = {f"x_{name}": value for name, value in sent.items()}
    outputs = stubs.predict("kinds", "echo", **inputs).outputs
    assert len(outputs) == len(sent)
    for name, value in sent.items():
        back = tf.make_ndarray(outputs[f"y_{name}"])
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)


def floats(*values, **fields):
    return tensor(float_val=values, **fields)


@pytest.mark.parametrize(
    ("proto", "answer"),
    [
        (floats(3.0), [[6.0, 6.0], [6.0, 6.0]]),
        (floats(1.0, 2.0), [[2.0, 4.0], [4.0, 4.0]]),
        (floats(), [[0.0, 0.0], [0.0, 0.0]]),
        (floats(shape=(0, 2)), []),
        (floats(1.0, 2.0, float("inf"), float("-inf")), [[2.0, 4.0], [np.inf, -np.inf]]),
        (tensor(tensor_content=np.array(GOOD, np.float32).tobytes()), [[2.0, 4.0], [6.0, 8.0]]),
    ],
    ids=["one-for-all", "last-repeated", "none-is-zero", "empty", "infinite", "packed"],
)
def test_every_encoding_of_a_tensor_is_read(stubs, proto, answer):
    assert tf.make_ndarray(stubs.predict("kinds", x=proto).outputs["y"]).tolist() == answer


def test_not_a_number_is_a_number_like_others(stubs):
    answer = tf.make_ndarray(stubs.predict("kinds", x=floats(float("nan"), 1.0)).outputs["y"])
    assert np.isnan(answer[0, 0]) and answer[0, 1] == 2.0


@pytest.mark.parametrize(
    "item", [b"x" * 1_500_000, b"\xff\xfe\x00", b""], ids=["over-1-MB", "not-UTF-8", "empty"]
)
def test_any_bytes_are_a_string(stubs, item):
    outputs = stubs.predict("retrieval", "describe", item_id=np.array([item, b"A1"], object))
    assert tf.make_ndarray(outputs.outputs["known"]).tolist() == [False, True]


CONTRACT = {
    "no model_spec": (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": (
        predict_request("", x=GOOD),
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    "unknown model": (
        predict_request("nobody", x=GOOD),
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown version": (
        predict_request("kinds", version=7, x=GOOD),
        "NOT_FOUND",
        "Servable not found for request: Specific(kinds, 7)",
    ),
    "unknown label": (
        predict_request("kinds", label="canary", x=GOOD),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    ),
    "unknown signature": (
        predict_request("kinds", "nothing", x=GOOD),
        "FAILED_PRECONDITION",
        'Serving signature key "nothing" not found.',
    ),
    "missing input": (
        predict_request("kinds"),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
        "Missing but required: {x}.",
    ),
    "extra inputs": (
        predict_request("kinds", x=GOOD, b=GOOD, a=GOOD),
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. "
        "Missing but required: {}.",
    ),
    "unknown output": (
        predict_request("kinds", only=["q"], x=GOOD),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: q Outputs expected to be in the set {y,z}.",
    ),
    "undecodable tensor": (
        predict_request("kinds", x=tensor(tensor_content=b"\0" * 15)),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "wrong dtype": (
        predict_request("kinds", x=np.array([[1, 2]], np.int64)),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but int64 is provided",
    ),
}


@pytest.mark.parametrize("case", CONTRACT, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_request_is_refused_in_the_official_words(stubs, case):
    request, code, text = CONTRACT[case]
    assert stubs.refusal(request) == (code, text)


def test_long_texts_are_cut(stubs):
    code, text = stubs.refusal(predict_request("kinds", "s" * 5000, x=GOOD))
    assert code == "FAILED_PRECONDITION"
    assert text == f'Serving signature key "{"s" * 1001}...TRUNCATED'
    assert len(text) == 1024 + len("...TRUNCATED")


def test_the_deadline_bounds_the_run(stubs):
    request = predict_request("kinds", "slow", loops=np.int32(2**31 - 1))
    assert stubs.refusal(request, timeout=0.3)[0] == "DEADLINE_EXCEEDED"


def test_a_call_without_a_deadline_is_answered(stubs):
    assert stubs.predict("kinds", x=GOOD, timeout=None).model_spec.name == "kinds"


def test_big_messages_pass(stubs):
    rows = np.ones([300_000, 2], np.float32)
    outputs = stubs.predict("kinds", only=["y"], x=rows).outputs
    assert tf.make_ndarray(outputs["y"]).shape == (300_000, 2)
    # Twice 7 MB: sent and received by the server, but more than a client takes by default.
    rows = np.ones([900_000, 2], np.float32)
    assert stubs.refusal(predict_request("kinds", x=rows))[0] == "RESOURCE_EXHAUSTED"
