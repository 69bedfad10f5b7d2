"""The programs take the flags that the files give them, and the image holds what they need."""

import re
import subprocess
import sys

import pytest

from serving.gateway.errors import GatewaySetupError
from serving.gateway.flags import parse as parse_gateway_flags
from tests.conftest import ROOT
from tests.serving.deploy.conftest import DEPLOY, kubernetes_objects
from tests.test_architecture import imports, sources

# The model server and the load test have dependencies of their own, and are not in the gateway.
NOT_IN_THE_GATEWAY = ("server", "loadtest", "deploy")


def arguments(name):
    """The arguments of a container in Kubernetes."""
    (container,) = [
        container
        for one in kubernetes_objects()
        if one["kind"] == "Deployment" and one["metadata"]["name"] == name
        for container in one["spec"]["template"]["spec"]["containers"]
    ]
    return container["args"]


def test_both_deployments_start_the_model_server_alike(compose):
    only_in_kubernetes = set(arguments("model-server")) - set(
        compose["services"]["model-server"]["command"]
    )
    assert only_in_kubernetes == {"--grpc_channel_arguments=grpc.max_connection_age_ms=300000"}


def test_the_gateway_takes_its_flags(compose, tmp_path):
    (tmp_path / "api_keys").write_text(f"shop:{'0' * 64}\n")
    for given in (compose["services"]["gateway"]["command"], arguments("gateway")):
        flags = parse_gateway_flags([flag.replace("/secrets/", f"{tmp_path}/") for flag in given])
        assert (flags.server, flags.port, flags.rest_port) == ("model-server:8500", 8600, 8601)
        assert flags.history == "redis://redis:6379/0"


def test_a_misspelt_flag_is_refused(compose):
    command = compose["services"]["gateway"]["command"]
    with pytest.raises(GatewaySetupError, match="unrecognized arguments: --rest-prot=1"):
        parse_gateway_flags([*command, "--rest-prot=1"])


def test_the_gateways_image_holds_what_it_imports():
    wanted = {
        name.split(".")[0]
        for path in sources("serving")
        if path.relative_to(ROOT / "serving").parts[0] not in NOT_IN_THE_GATEWAY
        for name in imports(path)
    }
    assert "redis" in wanted
    lines = (DEPLOY / "gateway.in").read_text().splitlines()
    packages = {line for line in lines if not line.startswith("#")}
    modules = {
        "grpcio": "grpc",
        "grpcio-health-checking": "grpc_health",
        "protobuf": "google",
        "prometheus-client": "prometheus_client",
    }
    third_party = wanted - set(sys.stdlib_module_names) - {"serving", "grpc_tools"}
    assert third_party == {modules.get(name, name) for name in packages}


def test_the_image_is_built_from_files_that_are_there():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = [
        name
        for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE)
        for name in line.split()
    ]
    assert copied == ["requirements/lock.txt", "serving/deploy/gateway.in", "serving"]
    assert all((ROOT / name).exists() for name in copied)
    assert 'ENTRYPOINT ["python", "-m", "serving.gateway"]' in dockerfile


def test_the_lock_becomes_constraints_that_pip_reads(tmp_path):
    """The command of the Dockerfile, run here."""
    program = re.search(r"sed -E '([^']+)'", (DEPLOY / "Dockerfile").read_text())[1]
    done = subprocess.run(
        ["sed", "-E", program, str(ROOT / "requirements" / "lock.txt")],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) > 50
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+( ; .+)?", line) for line in lines)
