"""Metadata, status, and replacing the configuration."""

import contextlib
import os

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tests.conftest import ADDRESS_VARIABLE
from tests.serving.conformance.conftest import GOOD
from tests.serving.conformance.messages import metadata, reload, status
from tests.serving.conftest import predict_request

STATE = get_model_status_pb2.ModelVersionStatus
ALL = ("examples", "kinds", "ranking", "recommender", "retrieval")


def states(stubs, model, **spec):
    answer = stubs.call(status(model, **spec)).model_version_status
    return [(one.version, one.state, one.status.error_code) for one in answer]


def test_metadata_tells_every_signature(stubs):
    response = stubs.call(metadata("retrieval", "signature_def"))
    assert (response.model_spec.name, response.model_spec.version.value) == ("retrieval", 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {
        "serving_default",
        "similar",
        "search",
        "embed_item",
        "embed_query",
        "describe",
    } <= set(signatures.signature_def)
    history = signatures.signature_def["serving_default"].inputs["history_item_id"]
    assert history.dtype == types_pb2.DT_STRING
    assert [dim.size for dim in history.tensor_shape.dim] == [-1, -1]


def test_status_lists_the_version_that_serves(stubs):
    assert states(stubs, "kinds") == [(1, STATE.AVAILABLE, 0)]
    assert states(stubs, "kinds", version=1) == [(1, STATE.AVAILABLE, 0)]


def test_health_is_answered(stubs):
    health = health_pb2_grpc.HealthStub(stubs.channel)
    try:
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=10)
    except grpc.RpcError as error:
        # The official server has the service only if told so.
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert ADDRESS_VARIABLE in os.environ
        pytest.skip("the server was started without --enable_grpc_healthcheck_service")
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@contextlib.contextmanager
def configured(stubs, folder, *without, **labels):
    """Serves all models but some, with labels of `kinds`, until the block ends."""

    def config(names, labels):
        return reload(*((name, folder / name, labels if name == "kinds" else {}) for name in names))

    response = stubs.call(config([name for name in ALL if name not in without], labels), timeout=60)
    assert response.status.error_code == 0
    try:
        yield
    finally:
        stubs.call(config(ALL, {}), timeout=60)


def test_a_label_names_a_version(stubs, rest, models_folder):
    with configured(stubs, models_folder, stable=1):
        assert stubs.predict("kinds", label="stable", x=GOOD).model_spec.version.value == 1
        assert states(stubs, "kinds", label="stable") == [(1, STATE.AVAILABLE, 0)]
        assert rest("kinds/labels/stable:predict", {"instances": [[1, 2]]})[0] == 200
        code, _ = stubs.refusal(predict_request("kinds", label="canary", x=GOOD))
        assert code == "INVALID_ARGUMENT"
    # The whole configuration was replaced, labels included.
    code, text = stubs.refusal(predict_request("kinds", label="stable", x=GOOD))
    assert (code, text) == ("INVALID_ARGUMENT", "Unrecognized servable version label: stable")


def test_a_model_that_is_left_out_ends_and_comes_back(stubs, models_folder):
    with configured(stubs, models_folder, "examples"):
        code, text = stubs.refusal(predict_request("examples", inputs=[b""]))
        assert (code, text) == ("NOT_FOUND", "Servable not found for request: Latest(examples)")
        ((version, state, _),) = states(stubs, "examples")
        assert version == 1 and state in (STATE.UNLOADING, STATE.END)
    # Reloading waited until it answers.
    assert stubs.predict("examples", "regress", inputs=[b""]).model_spec.version.value == 1
    assert states(stubs, "examples") == [(1, STATE.AVAILABLE, 0)]


def test_a_rejected_configuration_changes_nothing(stubs, models_folder):
    twice = reload(*[("kinds", models_folder / "kinds", {})] * 2)
    assert stubs.refusal(twice)[0] == "INVALID_ARGUMENT"
    assert stubs.predict("retrieval", "describe", item_id=["A1"]).model_spec.version.value == 1
