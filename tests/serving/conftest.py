"""Servers and stubs for the serving tests; those of the contract lie in `conformance`."""

import grpc
import pytest

from serving.client import RecommenderClient
from serving.process import start_server
from tests.serving import tiny_models


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    tiny_models.save_all(folder)
    return folder


@pytest.fixture(scope="session")
def server(models, tmp_path_factory):
    configs = tmp_path_factory.mktemp("configs")
    tiny_models.write_configs(models, configs)
    flags = (f"--monitoring_config_file={configs / 'monitoring.config'}",)
    with start_server(models, rest_port=0, flags=flags) as process:
        yield process


@pytest.fixture
def client(server):
    with RecommenderClient(server.address) as connected:
        yield connected


class Stubs:
    """The official stubs on one channel, and short ways to make their requests."""

    def __init__(self, address):
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self.channel = grpc.insecure_channel(address)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    def predict(
        self, model, signature="", *, version=None, label=None, timeout=20, only=(), **inputs
    ):
        return self.prediction.Predict(
            predict_request(model, signature, version=version, label=label, only=only, **inputs),
            timeout=timeout,
        )

    def refusal(self, request, timeout=20):
        """Returns the code and text with which a request of any kind is refused."""
        with pytest.raises(grpc.RpcError) as caught:
            self.call(request, timeout)
        return caught.value.code().name, caught.value.details()

    def call(self, request, timeout=20):
        """Sends a request of any kind to the method that takes it."""
        method = {
            "PredictRequest": self.prediction.Predict,
            "ClassificationRequest": self.prediction.Classify,
            "RegressionRequest": self.prediction.Regress,
            "MultiInferenceRequest": self.prediction.MultiInference,
            "GetModelMetadataRequest": self.prediction.GetModelMetadata,
            "GetModelStatusRequest": self.model.GetModelStatus,
            "ReloadConfigRequest": self.model.HandleReloadConfigRequest,
        }[type(request).__name__]
        return method(request, timeout=timeout)


def predict_request(model, signature="", *, version=None, label=None, only=(), **inputs):
    """Returns an official PredictRequest; inputs are TensorProtos or what makes one."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    request.output_filter.extend(only)
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for name, value in inputs.items():
        is_proto = hasattr(value, "tensor_shape")
        request.inputs[name].CopyFrom(value if is_proto else tf.make_tensor_proto(value))
    return request
