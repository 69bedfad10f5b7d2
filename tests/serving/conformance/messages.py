"""Requests of every kind, short to write; wrong ones included."""

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)


def tensor(dtype=types_pb2.DT_FLOAT, shape=(2, 2), **fields):
    """Returns a TensorProto as it is told to be, sense or not."""
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def example(**features):
    """Returns a tf.Example; floats, integers and texts as what they are."""
    message = tf.train.Example()
    for name, value in features.items():
        feature = message.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    return message


def address(request, model, signature="", version=None, label=None):
    """Fills a request's ModelSpec; with `model` None it stays without one."""
    if model is not None:
        request.model_spec.name = model
        request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


def classification(model, signature="", *examples, **spec):
    request = address(classification_pb2.ClassificationRequest(), model, signature, **spec)
    request.input.example_list.examples.extend(examples)
    return request


def regression(model, signature="", *examples, **spec):
    request = address(regression_pb2.RegressionRequest(), model, signature, **spec)
    request.input.example_list.examples.extend(examples)
    return request


def inference(*tasks, examples=()):
    """Returns a MultiInferenceRequest of (model, signature, method) triples."""
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    request.input.example_list.examples.extend(examples)
    return request


def metadata(model, *fields, **spec):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    return address(request, model, **spec)


def status(model, **spec):
    return address(get_model_status_pb2.GetModelStatusRequest(), model, **spec)


def reload(*models, platform="tensorflow"):
    """Returns a ReloadConfigRequest of (name, base path, labels) triples."""
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    for name, path, labels in models:
        config = request.config.model_config_list.config.add(
            name=name, base_path=str(path), model_platform=platform
        )
        config.version_labels.update(labels)
    return request
