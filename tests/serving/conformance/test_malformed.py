"""Requests that no client should send: each with the code it gets, and a good one after it."""

import grpc
import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import inference_pb2, model_management_pb2

from tests.serving.conformance.messages import (
    classification,
    example,
    inference,
    metadata,
    regression,
    reload,
    status,
    tensor,
)
from tests.serving.conftest import predict_request

INVALID, MISSING, FAILED = "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"
ONES = np.ones([1, 2], np.float32)
ONE = example(x=1.0)
HISTORY = {
    "history_item_id": [["A1"]],
    "history_event": [[""]],
    "history_timestamp": np.array([[0]], np.int64),
    "exclude_item_id": [[""]],
    "context_country": [""],
}


def kinds(x=ONES, signature="", **spec):
    return predict_request("kinds", signature, x=x, **spec)


def floats(*shape, **fields):
    return tensor(shape=shape, **fields)


def recommender(**changed):
    """Returns a request with some inputs changed, and those that are None left out."""
    inputs = {name: value for name, value in {**HISTORY, **changed}.items() if value is not None}
    return predict_request("recommender", **inputs)


# What it is: the request, its code, and a part of the text.
PREDICT = {
    "model name that is a path": (predict_request("../kinds", x=ONES), MISSING, "Latest(../kinds)"),
    "model name of 5 kB": (predict_request("m" * 5000, x=ONES), MISSING, "m...TRUNCATED"),
    "unknown model and version": (
        predict_request("nobody", version=3, x=ONES),
        MISSING,
        "Specific(nobody, 3)",
    ),
    "version 0": (kinds(version=0), MISSING, "Specific(kinds, 0)"),
    "negative version": (kinds(version=-1), MISSING, "Specific(kinds, -1)"),
    "largest version": (kinds(version=2**63 - 1), MISSING, f"Specific(kinds, {2**63 - 1})"),
    "empty label": (kinds(label=""), INVALID, "Unrecognized servable version label: "),
    "label of 5 kB": (kinds(label="l" * 5000), INVALID, "l...TRUNCATED"),
    "label of an unknown model": (
        predict_request("nobody", label="stable", x=ONES),
        INVALID,
        "version label: stable",
    ),
    "signature in other letters": (kinds(signature="SERVING_DEFAULT"), FAILED, "not found"),
    "signature with a blank": (kinds(signature=" "), FAILED, 'key " " not found'),
    "no inputs": (predict_request("kinds"), INVALID, "0!=1"),
    "one input of five missing": (
        recommender(exclude_item_id=None),
        INVALID,
        "Missing but required: {exclude_item_id}",
    ),
    "all inputs of another signature": (
        predict_request("recommender", item_id=["A1"]),
        INVALID,
        "Sent extra: {item_id}",
    ),
    "one input too many": (recommender(query=["red"]), INVALID, "6!=5"),
    "input misnamed": (
        predict_request("kinds", X=ONES),
        INVALID,
        "Signature input alias: x(feed name: ",
    ),
    "input without a name": (predict_request("kinds", **{"": ONES}), INVALID, "alias: x"),
    "one of five misnamed": (
        recommender(exclude_item_id=None, exclude=[[""]]),
        INVALID,
        "exclude_item_id",
    ),
    "empty filter": (kinds(only=[""]), INVALID, "output tensor alias not found in signature: "),
    "input in the filter": (kinds(only=["x"]), INVALID, "not found in signature: x"),
    "known and unknown output": (kinds(only=["y", "q"]), INVALID, "not found in signature: q"),
    "output twice": (kinds(only=["y", "y"]), INVALID, "duplicate output tensor alias: y"),
}
DTYPE = {
    "float64 for float32": (
        kinds(np.array([[1, 2]], np.float64)),
        INVALID,
        "but double is provided",
    ),
    "int32 for float32": (kinds(np.array([[1, 2]], np.int32)), INVALID, "but int32 is provided"),
    "int64 for float32": (kinds(np.array([[1, 2]], np.int64)), INVALID, "but int64 is provided"),
    "float16 for float32": (kinds(np.array([[1, 2]], np.float16)), INVALID, "but half is provided"),
    "bool for float32": (kinds(np.array([[True, False]])), INVALID, "but bool is provided"),
    "string for float32": (kinds([["1", "2"]]), INVALID, "but string is provided"),
    "complex64 for float32": (
        kinds(np.array([[1, 2]], np.complex64)),
        INVALID,
        "but complex64 is provided",
    ),
    "int32 for int64": (
        recommender(history_timestamp=np.array([[0]], np.int32)),
        INVALID,
        "to be int64 but int32 is provided",
    ),
    "float32 for string": (
        recommender(history_item_id=ONES),
        INVALID,
        "to be string but float is provided",
    ),
    "no dtype": (kinds(tensor(types_pb2.DT_INVALID)), INVALID, "tensor parsing error: x"),
    "a dtype that does not exist": (
        kinds(tensor(99, tensor_content=b"\0" * 16)),
        INVALID,
        "tensor parsing error: x",
    ),
    "a reference": (
        kinds(tensor(types_pb2.DT_FLOAT_REF, tensor_content=b"\0" * 16)),
        INVALID,
        "tensor parsing error: x",
    ),
}
SHAPE = {
    "scalar for a matrix": (kinds(np.array(1.0, np.float32), "product"), INVALID, ""),
    "vector for a matrix": (kinds(np.array([1.0, 2.0], np.float32), "product"), INVALID, ""),
    "rank 3 for a matrix": (kinds(np.ones([1, 1, 2], np.float32), "product"), INVALID, ""),
    "three columns for two": (kinds(np.ones([1, 3], np.float32), "product"), INVALID, ""),
    "no columns for two": (kinds(np.ones([1, 0], np.float32), "product"), INVALID, ""),
    "item ids without a history's rank": (recommender(history_item_id=["A1"]), INVALID, ""),
    "negative dimension": (kinds(floats(-1, 2)), INVALID, "tensor parsing error: x"),
    "smallest dimension": (kinds(floats(-(2**63), 2)), INVALID, "tensor parsing error: x"),
    "a value 10^12 times": (
        kinds(floats(10**12, 2, float_val=[1.0])),
        INVALID,
        "tensor parsing error: x",
    ),
    "largest dimension": (
        kinds(floats(2**63 - 1, 2, float_val=[1.0])),
        INVALID,
        "tensor parsing error: x",
    ),
    "dimensions that overflow": (
        kinds(floats(2**62, 2**62, float_val=[1.0])),
        INVALID,
        "tensor parsing error: x",
    ),
    "dimensions that overflow to nothing": (
        kinds(floats(2**32, 2**32, float_val=[1.0])),
        INVALID,
        "tensor parsing error: x",
    ),
    "300 dimensions": (
        kinds(floats(*[1] * 300, float_val=[1.0])),
        INVALID,
        "tensor parsing error: x",
    ),
    "10^12 strings": (
        recommender(history_item_id=tensor(types_pb2.DT_STRING, (1, 10**12))),
        INVALID,
        "tensor parsing error: history_item_id",
    ),
}
CONTENT = {
    "content one byte short": (
        kinds(floats(2, 2, tensor_content=b"\0" * 15)),
        INVALID,
        "tensor parsing error: x",
    ),
    "content one byte long": (
        kinds(floats(2, 2, tensor_content=b"\0" * 17)),
        INVALID,
        "tensor parsing error: x",
    ),
    "content one value short": (
        kinds(floats(2, 2, tensor_content=b"\0" * 12)),
        INVALID,
        "tensor parsing error: x",
    ),
    "broken content of strings": (
        recommender(
            history_item_id=tensor(types_pb2.DT_STRING, (1, 1), tensor_content=b"\xff" * 3)
        ),
        INVALID,
        "tensor parsing error: history_item_id",
    ),
    "an index out of range": (
        predict_request("kinds", "fails", row=np.int32(5)),
        INVALID,
        "indices = 5 is not in [0, 1)",
    ),
    "a negative index": (
        predict_request("kinds", "fails", row=np.int32(-1)),
        INVALID,
        "indices = -1 is not in [0, 1)",
    ),
}
EXAMPLES = {
    "classify without model_spec": (classification(None), INVALID, "Missing ModelSpec"),
    "classify by an unknown model": (
        classification("nobody", "", ONE),
        MISSING,
        "Servable not found for request: Latest(nobody)",
    ),
    "classify by an unknown version": (
        classification("examples", "", ONE, version=9),
        MISSING,
        "Specific(examples, 9)",
    ),
    "classify by an unknown signature": (
        classification("examples", "nothing", ONE),
        INVALID,
        "No signature was found with the name: nothing",
    ),
    "classify nothing": (classification("examples"), INVALID, "Input is empty."),
    "classify by a signature of many inputs": (
        classification("recommender", "", ONE),
        INVALID,
        "Expected one input Tensor.",
    ),
    "classify by a signature without examples": (
        classification("kinds", "", ONE),
        INVALID,
        "No classification inputs found in SignatureDef: ",
    ),
    "classify by a signature of many outputs": (
        classification("retrieval", "describe", ONE),
        INVALID,
        "Expected one or two output Tensors, found 3",
    ),
    "classify by a regression": (
        classification("examples", "regress_column", ONE),
        INVALID,
        "Expected classification signature outputs to contain at least one of",
    ),
    "scores that are no matrix": (
        classification("examples", "classify_flat", ONE),
        INVALID,
        "Expected Tensor shape: [batch_size num_classes] but got [1]",
    ),
    "scores that are texts": (
        classification("examples", "classify_texts", ONE),
        INVALID,
        "Expected scores Tensor of DT_FLOAT. Got: DT_STRING",
    ),
    "a feature of another type": (
        classification("examples", "", example(x=1)),
        INVALID,
        "Data type: int64 but expected type: float",
    ),
    "regress without model_spec": (regression(None), INVALID, "Missing ModelSpec"),
    "regress by an unknown signature": (
        regression("examples", "nothing", ONE),
        INVALID,
        "No signature was found with the name: nothing",
    ),
    "regress nothing": (regression("examples", "regress"), INVALID, "Input is empty."),
    "regress by a classification": (
        regression("examples", "", ONE),
        INVALID,
        "Expected one output Tensor.",
    ),
    "regress by a signature of many inputs": (
        regression("recommender", "", ONE),
        INVALID,
        "Expected one input Tensor.",
    ),
    "regress by a signature without examples": (
        regression("kinds", "product", ONE),
        INVALID,
        "No regression inputs found in SignatureDef: ",
    ),
    "regress by scores": (
        regression("examples", "classify_scores", ONE),
        INVALID,
        "No regression outputs found in SignatureDef: ",
    ),
    "values that are a matrix": (
        regression("examples", "regress_wide", ONE),
        INVALID,
        "to be either [batch_size] or [batch_size, 1] but got [1,2]",
    ),
    "fewer values than examples": (
        regression("examples", "regress_short", ONE, ONE),
        INVALID,
        "Input batch size did not match output batch size: 2 vs. 1",
    ),
    "no tasks": (
        inference_pb2.MultiInferenceRequest(),
        INVALID,
        "ModelSpec has no name specified.",
    ),
    "tasks of two models": (
        inference(("examples", "regress", "regress"), ("kinds", "", "classify"), examples=[ONE]),
        INVALID,
        "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
    ),
    "a task without a model": (
        inference(("examples", "regress", "regress"), ("", "", "classify"), examples=[ONE]),
        INVALID,
        "Found ModelSpec with an empty model name.",
    ),
    "the same task twice": (
        inference(*[("examples", "regress", "regress")] * 2, examples=[ONE]),
        INVALID,
        "Duplicate evaluation of signature: regress",
    ),
    "a task of an unknown signature": (
        inference(("examples", "nothing", "regress"), examples=[ONE]),
        INVALID,
        "Requested signature not found in model graph: nothing",
    ),
    "a task that predicts": (
        inference(("examples", "regress", "predict"), examples=[ONE]),
        "UNIMPLEMENTED",
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
    "tasks of two inputs": (
        inference(
            ("examples", "regress", "regress"),
            ("examples", "classify_scores", "classify"),
            examples=[ONE],
        ),
        INVALID,
        "Input tensor must be the same for all Signatures.",
    ),
    "tasks for nothing": (
        inference(("examples", "regress", "regress")),
        INVALID,
        "Input is empty.",
    ),
}
MODELS = {
    "metadata without model_spec": (
        metadata(None, "signature_def"),
        INVALID,
        "Missing ModelSpec",
    ),
    "metadata without a field": (
        metadata("kinds"),
        INVALID,
        "GetModelMetadataRequest must specify at least one metadata_field",
    ),
    "metadata of an unknown field": (
        metadata("kinds", "weights"),
        INVALID,
        "Metadata field weights is not supported",
    ),
    "metadata of a known and an unknown field": (
        metadata("kinds", "signature_def", "weights"),
        INVALID,
        "Metadata field weights is not supported",
    ),
    "metadata of an unknown model": (
        metadata("nobody", "signature_def"),
        MISSING,
        "Servable not found for request: Latest(nobody)",
    ),
    "metadata of an unknown label": (
        metadata("kinds", "signature_def", label="canary"),
        INVALID,
        "Unrecognized servable version label: canary",
    ),
    "status without model_spec": (status(None), INVALID, "Missing ModelSpec"),
    "status of an unknown model": (
        status("nobody"),
        MISSING,
        "Could not find any versions of model nobody",
    ),
    "status of an unknown version": (
        status("kinds", version=9),
        MISSING,
        "Could not find version 9 of model kinds",
    ),
    "status of an unknown label": (
        status("kinds", label="canary"),
        INVALID,
        "Unrecognized servable version label: canary",
    ),
    "reload of nothing": (
        model_management_pb2.ReloadConfigRequest(),
        INVALID,
        "ServerModelConfig type not supported by HandleReloadConfigRequest.",
    ),
    "a model twice": (
        reload(("kinds", "/a", {}), ("kinds", "/b", {})),
        INVALID,
        "Illegal to list model kinds multiple times in config list",
    ),
    "a relative path": (
        reload(("kinds", "models/kinds", {})),
        INVALID,
        "Expected model kinds to have an absolute path or URI; got base_path()=models/kinds",
    ),
    "no platform": (
        reload(("kinds", "/models/kinds", {}), platform=""),
        INVALID,
        "Illegal setting neither ModelServerConfig::model_type",
    ),
    "a label for a version that is not loaded": (
        reload(("kinds", "/models/kinds", {"stable": 99})),
        FAILED,
        "Request to assign label to version 99 of model kinds, which is not currently available "
        "for inference",
    ),
}
MALFORMED = {**PREDICT, **DTYPE, **SHAPE, **CONTENT, **EXAMPLES, **MODELS}


@pytest.mark.parametrize("case", MALFORMED, ids=lambda name: name.replace(" ", "-"))
def test_a_malformed_request_gets_its_code(stubs, case):
    request, code, text = MALFORMED[case]
    refused, details = stubs.refusal(request)
    assert refused == code, details
    assert text in details


def test_there_are_enough_of_them():
    assert len(MALFORMED) >= 60
    assert len({(type(one), repr(one)) for one, _, _ in MALFORMED.values()}) == len(MALFORMED)


def raw(stubs, data, method="PredictionService/Predict"):
    """Returns the code that bytes get, whatever they are."""
    send = stubs.channel.unary_unary(f"/tensorflow.serving.{method}")
    with pytest.raises(grpc.RpcError) as caught:
        send(data, timeout=20)
    return caught.value.code().name


def test_a_model_name_that_is_no_text_is_no_message(stubs):
    name = predict_request("NAME", x=ONES).SerializeToString().replace(b"NAME", b"\xff\xfe\xfd\xfc")
    assert raw(stubs, name) == "INTERNAL"


def test_a_message_that_is_cut_off_is_none(stubs):
    whole = kinds().SerializeToString()
    assert raw(stubs, whole[:-3]) == "INTERNAL"


def test_an_empty_message_names_no_model(stubs):
    assert raw(stubs, b"") == INVALID


def test_what_the_service_does_not_have_is_unimplemented(stubs):
    assert raw(stubs, b"", "PredictionService/Recommend") == "UNIMPLEMENTED"
    assert raw(stubs, b"", "SomeService/Predict") == "UNIMPLEMENTED"


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
    assert codes <= {"INTERNAL", INVALID, MISSING, FAILED}
    assert {"INTERNAL", INVALID} <= codes
