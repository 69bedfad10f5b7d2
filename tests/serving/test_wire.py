"""Our message classes against the official stubs: same numbers, same types, same bytes."""

import importlib.util

import pytest
import tensorflow as tf
from google.protobuf.descriptor import FieldDescriptor
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from serving import tensors, wire
from serving.protos import DESCRIPTORS

PAIRS = [
    (wire.TensorProto, tensor_pb2.TensorProto),
    (wire.TensorShapeProto, tensor_shape_pb2.TensorShapeProto),
    (wire.SignatureDef, meta_graph_pb2.SignatureDef),
    (wire.MetaGraphDef, meta_graph_pb2.MetaGraphDef),
    (wire.SavedModel, saved_model_pb2.SavedModel),
    (wire.RunOptions, config_pb2.RunOptions),
    (wire.ConfigProto, config_pb2.ConfigProto),
    (wire.ModelSpec, model_pb2.ModelSpec),
    (wire.PredictRequest, predict_pb2.PredictRequest),
    (wire.PredictResponse, predict_pb2.PredictResponse),
    (wire.GetModelMetadataRequest, get_model_metadata_pb2.GetModelMetadataRequest),
    (wire.GetModelMetadataResponse, get_model_metadata_pb2.GetModelMetadataResponse),
    (wire.SignatureDefMap, get_model_metadata_pb2.SignatureDefMap),
    (wire.GetModelStatusRequest, get_model_status_pb2.GetModelStatusRequest),
    (wire.GetModelStatusResponse, get_model_status_pb2.GetModelStatusResponse),
    (wire.ModelVersionStatus, get_model_status_pb2.ModelVersionStatus),
    (wire.ModelConfig, model_server_config_pb2.ModelConfig),
    (wire.ModelServerConfig, model_server_config_pb2.ModelServerConfig),
    (wire.PredictionLog, prediction_log_pb2.PredictionLog),
    (wire.Example, example_pb2.Example),
    (wire.ReloadConfigRequest, model_management_pb2.ReloadConfigRequest),
    (wire.ReloadConfigResponse, model_management_pb2.ReloadConfigResponse),
    (wire.ClassificationRequest, classification_pb2.ClassificationRequest),
    (wire.ClassificationResponse, classification_pb2.ClassificationResponse),
    (wire.RegressionRequest, regression_pb2.RegressionRequest),
    (wire.RegressionResponse, regression_pb2.RegressionResponse),
    (wire.MultiInferenceRequest, inference_pb2.MultiInferenceRequest),
    (wire.MultiInferenceResponse, inference_pb2.MultiInferenceResponse),
]
# What we leave unread is declared as its encoding: an enum as its number, a message as bytes.
SAME_ENCODING = {
    (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM),
    (FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE),
}


def fields_below(ours, official, seen):
    """Yields every field of `ours` with the official one of its number, nested ones included."""
    if ours.full_name in seen:
        return
    seen.add(ours.full_name)
    for field in ours.fields:
        other = official.fields_by_number.get(field.number)
        yield field, other
        if field.message_type and other is not None and other.message_type:
            yield from fields_below(field.message_type, other.message_type, seen)


@pytest.mark.parametrize(("ours", "official"), PAIRS, ids=lambda pair: pair.__name__)
def test_every_field_is_the_official_one(ours, official):
    assert ours.DESCRIPTOR.full_name == official.DESCRIPTOR.full_name
    compared = list(fields_below(ours.DESCRIPTOR, official.DESCRIPTOR, set()))
    assert compared
    for field, other in compared:
        assert other is not None, field.full_name
        assert field.name == other.name
        assert field.is_repeated == other.is_repeated, field.full_name
        assert field.type == other.type or (field.type, other.type) in SAME_ENCODING, (
            field.full_name
        )


def test_data_types_have_the_official_numbers():
    from tensorflow.core.framework import types_pb2

    official = {name: number for name, number in types_pb2.DataType.items() if number <= 23}
    assert official == wire.DATA_TYPES


def test_a_request_has_the_bytes_of_an_official_one():
    ours = wire.PredictRequest(output_filter=["score"])
    ours.model_spec.name = "recommender"
    ours.model_spec.version.value = 20250101000000
    ours.model_spec.signature_name = "serving_default"
    ours.inputs["ids"].CopyFrom(tensors.make(tensors.DT_STRING, [1, 2], ["A1", "起"]))
    official = predict_pb2.PredictRequest(output_filter=["score"])
    official.model_spec.name = "recommender"
    official.model_spec.version.value = 20250101000000
    official.model_spec.signature_name = "serving_default"
    official.inputs["ids"].CopyFrom(tf.make_tensor_proto([["A1", "起"]]))
    assert ours.SerializeToString(deterministic=True) == official.SerializeToString(
        deterministic=True
    )
    assert predict_pb2.PredictRequest.FromString(ours.SerializeToString()) == official


def test_an_official_answer_reads_back():
    official = predict_pb2.PredictResponse()
    official.model_spec.name = "m"
    official.model_spec.version.value = 7
    official.outputs["score"].CopyFrom(tf.make_tensor_proto([[1.5, 2.5]]))
    ours = wire.PredictResponse.FromString(official.SerializeToString())
    assert (ours.model_spec.name, ours.model_spec.version.value) == ("m", 7)
    assert tensors.values_of(ours.outputs["score"]) == [1.5, 2.5]


def test_compiled_descriptors_match_the_proto_files(tmp_path, run_python):
    if importlib.util.find_spec("grpc_tools") is None:
        pytest.skip("needs grpcio-tools to compile the .proto files")
    fresh = tmp_path / "fresh.binpb"
    # In a process of its own: the compiler and TensorFlow do not get on in one.
    code = "import pathlib, sys; from serving.protos.compile import compile_protos as c"
    done = run_python("-c", f"{code}; c(pathlib.Path(sys.argv[1]))", str(fresh))
    assert done.returncode == 0, done.stderr
    assert fresh.read_bytes() == DESCRIPTORS.read_bytes(), "run python -m serving.protos.compile"
