"""docker-compose.yml obeys the compose specification, and its parts fit each other."""

import re

import jsonschema
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema

from tests.serving.deploy.conftest import DEPLOY


@pytest.fixture(scope="module")
def validate():
    validator = jsonschema.validators.validator_for(
        schema := get_builtin_schema("vendor.compose-spec")
    )
    return validator(schema).validate


def test_it_obeys_the_specification(compose, validate):
    validate(compose)
    assert set(compose["services"]) == {
        *("model-server", "gateway", "redis", "prometheus", "tensorboard")
    }


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "gateway", "comand"), ["--port=1"]),
        (("services", "redis", "healthcheck", "retrys"), 3),
        (("services", "gateway", "depends_on", "redis", "condition"), "service_is_fine"),
        (("services", "model-server", "ports"), "8500:8500"),
        (("service",), {}),
    ],
)
def test_a_wrong_field_is_found(compose, validate, changed, path, value):
    with pytest.raises(jsonschema.ValidationError):
        validate(changed(compose, path, value))


def test_the_model_server_is_the_official_one_of_our_tensorflow(compose):
    import tensorflow as tf

    image, _, tag = compose["services"]["model-server"]["image"].partition(":")
    assert image == "tensorflow/serving"
    assert tag.split(".")[:2] == tf.__version__.split(".")[:2]


def test_mounted_files_exist_and_models_are_read_only(compose):
    mounted = [
        volume.rsplit(":", 2) for service in compose["services"].values()
        for volume in service.get("volumes", ()) if volume.startswith((".", "$"))
    ]  # fmt: skip
    files = [source for source, _, _ in mounted if source.startswith("./")]
    assert len(files) == 4
    assert all((DEPLOY / source).is_file() for source in files)
    assert {mode for *_, mode in mounted} == {"ro"}
    # Where `make demo` puts them.
    folders = [source for source, _, _ in mounted if source.startswith("$")]
    assert [re.search(r":-(.+)}", folder)[1] for folder in folders] == [
        "../../demo/models",
        "../../demo/run",
    ]


def test_ports_are_open_to_this_machine_only(compose):
    ports = [port for one in compose["services"].values() for port in one.get("ports", ())]
    assert len(ports) == 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_named_volumes_are_declared(compose):
    used = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if volume[0].isalpha()
    }
    assert used == set(compose["volumes"])
