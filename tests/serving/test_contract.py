"""The model server's contract, row by row, with the official stubs and by address only."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from tests.serving.conftest import predict_request

GOOD = [[1.0, 2.0], [3.0, 4.0]]


@pytest.fixture(autouse=True)
def answers_afterwards(stubs):
    """Whatever a test sent, a good request is answered after it."""
    yield
    outputs = stubs.predict("kinds", x=GOOD).outputs
    assert tf.make_ndarray(outputs["y"]).tolist() == [[2.0, 4.0], [6.0, 8.0]]


def floats(values, *, shape=(2, 2), **fields):
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=values, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


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


def test_every_dtype_comes_back_as_it_went(stubs):
    sent = {
        "float32": np.float32([[1.5, np.nan]]),
        "float64": np.float64([1e300]),
        "int32": np.int32([-(2**31)]),
        "uint8": np.uint8([255]),
        "int16": np.int16([-3]),
        "int8": np.int8([-128]),
        "string": np.array([b"", b"x" * 1000, "Käse".encode(), b"\xff\x00"], object),
        "int64": np.int64([2**62]),
        "bool": np.array([True, False]),
        "uint16": np.uint16([65535]),
        "uint32": np.uint32([2**32 - 1]),
        "uint64": np.uint64([2**64 - 1]),
        "float16": np.float16([0.5, -2.0]),
        "bfloat16": tf.constant([0.5, 3.0], tf.bfloat16).numpy(),
        "complex64": np.complex64([1 + 2j]),
        "complex128": np.complex128([[3 - 1j]]),
    }
    inputs = {f"x_{name}": value for name, value in sent.items()}
    outputs = stubs.predict("kinds", "echo", **inputs).outputs
    assert len(outputs) == len(sent)
    for name, value in sent.items():
        back = tf.make_ndarray(outputs[f"y_{name}"])
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)


def test_empty_tensors_are_tensors(stubs):
    outputs = stubs.predict("kinds", x=np.zeros([0, 2], np.float32)).outputs
    assert tf.make_ndarray(outputs["y"]).shape == (0, 2)


def test_one_value_may_stand_for_all(stubs):
    outputs = stubs.predict("kinds", x=floats([3.0])).outputs
    assert tf.make_ndarray(outputs["y"]).tolist() == [[6.0, 6.0], [6.0, 6.0]]


PREDICT_REFUSALS = {
    "no model_spec": (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": (
        lambda: predict_request("", x=GOOD),
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    "unknown model": (
        lambda: predict_request("nobody", x=GOOD),
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
    "unknown version": (
        lambda: predict_request("kinds", version=7, x=GOOD),
        "NOT_FOUND",
        "Servable not found for request: Specific(kinds, 7)",
    ),
    "unknown label": (
        lambda: predict_request("kinds", label="canary", x=GOOD),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    ),
    "unknown signature": (
        lambda: predict_request("kinds", "nothing", x=GOOD),
        "FAILED_PRECONDITION",
        'Serving signature key "nothing" not found.',
    ),
    "missing input": (
        lambda: predict_request("kinds"),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
        "Missing but required: {x}.",
    ),
    "extra inputs": (
        lambda: predict_request("kinds", x=GOOD, b=GOOD, a=GOOD),
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=1 len({a,b,x}) != len({x}). Sent extra: {a,b}. "
        "Missing but required: {}.",
    ),
    "misnamed input": (
        lambda: predict_request("kinds", y=GOOD),
        "INVALID_ARGUMENT",
        "input tensor alias not found in signature: y. Inputs expected to be in the set {x}.",
    ),
    "unknown output": (
        lambda: predict_request("kinds", only=["q"], x=GOOD),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: q Outputs expected to be in the set {y,z}.",
    ),
    "output twice": (
        lambda: predict_request("kinds", only=["y", "y"], x=GOOD),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    ),
    "negative dimension": (
        lambda: predict_request("kinds", x=floats([1.0], shape=[-1, 2])),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "a value 10^12 times": (
        lambda: predict_request("kinds", x=floats([1.0], shape=[10**12, 2])),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "dimensions that overflow": (
        lambda: predict_request("kinds", x=floats([1.0], shape=[2**62, 2**62])),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "ragged tensor_content": (
        lambda: predict_request("kinds", x=floats([], tensor_content=b"\0" * 15)),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "no dtype": (
        lambda: predict_request("kinds", x=tensor_pb2.TensorProto()),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    ),
    "wrong dtype": (
        lambda: predict_request("kinds", x=np.array([[1, 2]], np.int64)),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but int64 is provided",
    ),
    "string for float": (
        lambda: predict_request("kinds", x=[["a", "b"]]),
        "INVALID_ARGUMENT",
        "Expects arg[0] to be float but string is provided",
    ),
}


@pytest.mark.parametrize("case", PREDICT_REFUSALS, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_predict_is_refused_in_the_official_words(stubs, case):
    request, code, text = PREDICT_REFUSALS[case]
    assert stubs.refusal(request() if callable(request) else request) == (code, text)


def test_a_failing_operation_is_an_error_of_the_request(stubs):
    code, text = stubs.refusal(predict_request("kinds", "fails", row=np.int32(5)))
    assert code == "INVALID_ARGUMENT"
    assert "indices = 5 is not in [0, 1)" in text


def test_long_texts_are_cut(stubs):
    code, text = stubs.refusal(predict_request("kinds", "s" * 5000, x=GOOD))
    assert code == "FAILED_PRECONDITION"
    assert text == f'Serving signature key "{"s" * 1001}...TRUNCATED'
    assert len(text) == 1024 + len("...TRUNCATED")


def test_the_deadline_bounds_the_run(stubs):
    request = predict_request("kinds", "slow", loops=np.int32(2**31 - 1))
    assert stubs.refusal(request, timeout=0.3)[0] == "DEADLINE_EXCEEDED"


def test_big_messages_pass(stubs):
    rows = np.ones([300_000, 2], np.float32)
    outputs = stubs.predict("kinds", only=["y"], x=rows).outputs
    assert tf.make_ndarray(outputs["y"]).shape == (300_000, 2)
    # Twice 7 MB: sent and received by the server, but more than a client takes by default.
    rows = np.ones([900_000, 2], np.float32)
    assert stubs.refusal(predict_request("kinds", x=rows))[0] == "RESOURCE_EXHAUSTED"


def test_mangled_messages_never_take_the_server_down(stubs):
    whole = predict_request(
        "kinds", "echo", **{"x_int64": np.array([1, 2**40]), "x_string": ["ab"]}
    )
    message = whole.SerializeToString()
    send = stubs.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    random = np.random.default_rng(0)
    codes = set()
    for _ in range(300):
        mangled = bytearray(message)
        for place in random.integers(len(message), size=random.integers(1, 4)):
            mangled[place] = random.integers(256)
        try:
            send(bytes(mangled), timeout=20)
        except grpc.RpcError as error:
            codes.add(error.code().name)
    assert codes <= {"INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"}
    assert {"INTERNAL", "INVALID_ARGUMENT"} <= codes


def metadata_request(name, *fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = name
    return request


def test_metadata_tells_every_signature(stubs):
    response = stubs.prediction.GetModelMetadata(metadata_request("retrieval", "signature_def"))
    assert (response.model_spec.name, response.model_spec.version.value) == ("retrieval", 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def) == {
        "serving_default",
        "similar",
        "search",
        "embed_item",
        "embed_query",
        "describe",
    }
    history = signatures.signature_def["serving_default"].inputs["history_item_id"]
    assert history.dtype == types_pb2.DT_STRING
    assert [dim.size for dim in history.tensor_shape.dim] == [-1, -1]


METADATA_REFUSALS = {
    "no model_spec": (
        get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    ),
    "no field": (
        metadata_request("kinds"),
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "unknown field": (
        metadata_request("kinds", "weights"),
        "INVALID_ARGUMENT",
        "Metadata field weights is not supported",
    ),
    "unknown model": (
        metadata_request("nobody", "signature_def"),
        "NOT_FOUND",
        "Servable not found for request: Latest(nobody)",
    ),
}


@pytest.mark.parametrize("case", METADATA_REFUSALS, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_metadata_request_is_refused_in_the_official_words(stubs, case):
    request, code, text = METADATA_REFUSALS[case]
    assert stubs.refusal(request) == (code, text)


def status_request(name, version=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return request


def test_status_lists_the_version_that_serves(stubs):
    for request in (status_request("kinds"), status_request("kinds", 1)):
        statuses = stubs.model.GetModelStatus(request).model_version_status
        assert [(s.version, s.state, s.status.error_code) for s in statuses] == [
            (1, get_model_status_pb2.ModelVersionStatus.AVAILABLE, 0)
        ]


STATUS_REFUSALS = {
    "unknown model": (
        status_request("nobody"),
        "NOT_FOUND",
        "Could not find any versions of model nobody",
    ),
    "unknown version": (
        status_request("kinds", 9),
        "NOT_FOUND",
        "Could not find version 9 of model kinds",
    ),
    "no model_spec": (
        get_model_status_pb2.GetModelStatusRequest(),
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    ),
}


@pytest.mark.parametrize("case", STATUS_REFUSALS, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_status_request_is_refused_in_the_official_words(stubs, case):
    request, code, text = STATUS_REFUSALS[case]
    assert stubs.refusal(request) == (code, text)
