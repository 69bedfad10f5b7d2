"""The manifests obey Kubernetes' schemas, and what they refer to is there."""

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tests.serving.deploy.conftest import DEPLOY, kubernetes_objects

VERSION = "1.34"
OBJECTS = kubernetes_objects()


def names(kind):
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


PODS = {
    one["metadata"]["name"]: one["spec"]
    for one in OBJECTS
    if one["kind"] in ("Deployment", "StatefulSet")
}


def containers():
    return [
        pytest.param(spec["template"]["spec"], container, id=name)
        for name, spec in PODS.items()
        for container in spec["template"]["spec"]["containers"]
    ]


def label(one):
    return f"{one['kind']}-{one['metadata']['name']}"


@pytest.mark.parametrize("one", OBJECTS, ids=label)
def test_it_obeys_its_schema(one):
    kubernetes_validate.validate(one, VERSION, strict=True)


def test_what_the_service_needs_is_there():
    for kind in ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert {"model-server", "gateway"} <= set(names(kind))
    assert names("PersistentVolumeClaim")["models"]["spec"]["accessModes"] == ["ReadOnlyMany"]


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "replica"), 2),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "readynessProbe"), {}),
        (
            "Deployment",
            ("spec", "template", "spec", "containers", 0, "ports", 0, "containerPort"),
            "x",
        ),
        ("Service", ("spec", "ports", 0, "targetport"), 1),
        ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), "ten"),
        ("PodDisruptionBudget", ("spec", "minimumAvailable"), 1),
        ("PersistentVolumeClaim", ("spec", "accessMode"), ["ReadOnlyMany"]),
        ("StatefulSet", ("spec", "serviceName"), 7),
    ],
)
def test_a_wrong_field_is_found(changed, kind, path, value):
    one = next(iter(names(kind).values()))
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(changed(one, path, value), VERSION, strict=True)


@pytest.mark.parametrize("one", OBJECTS, ids=label)
def test_selectors_find_their_pods(one):
    kind, spec = one["kind"], one["spec"]
    if kind == "Service":
        wanted = spec["selector"]
    elif kind in ("Deployment", "StatefulSet", "PodDisruptionBudget"):
        wanted = spec["selector"]["matchLabels"]
    else:
        return
    found = [pod["template"] for pod in PODS.values()]
    labels = [template["metadata"]["labels"] for template in found]
    assert sum(wanted.items() <= given.items() for given in labels) == 1


@pytest.mark.parametrize(("pod", "container"), containers())
def test_a_container_finds_its_volumes_and_its_probes_their_ports(pod, container):
    declared = {volume["name"] for volume in pod.get("volumes", ())} | {"data"}
    assert {mount["name"] for mount in container["volumeMounts"]} <= declared
    ports = {port["name"] for port in container["ports"]}
    probed = [
        action["port"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe")
        for kind, action in container.get(probe, {}).items()
        if kind in ("httpGet", "tcpSocket")
    ]
    assert {"readinessProbe", "livenessProbe"} <= set(container)
    assert probed
    assert set(probed) <= ports


@pytest.mark.parametrize(("pod", "container"), containers())
def test_a_container_may_do_little(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("service", names("Service").values(), ids=label)
def test_a_service_leads_to_ports_that_are_there(service):
    template = PODS[service["metadata"]["name"]]["template"]
    ports = {
        port["name"]: port["containerPort"]
        for container in template["spec"]["containers"]
        for port in container["ports"]
    }
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports


def test_an_autoscaler_decides_alone_how_many_there_are():
    for name, scaler in names("HorizontalPodAutoscaler").items():
        target = scaler["spec"]["scaleTargetRef"]
        assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        assert "replicas" not in names("Deployment")[name]["spec"]
        # Or a disruption budget of one could never be kept.
        assert scaler["spec"]["minReplicas"] >= 2


def test_the_models_cannot_be_written():
    pod = PODS["model-server"]["template"]["spec"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "models"]
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "models"]
    assert mount["readOnly"] is True


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Generator(Strict):
    name: str
    files: list[str]


class Image(Strict):
    name: str
    newName: str  # noqa: N815
    newTag: str  # noqa: N815


class Kustomization(Strict):
    """The fields of a kustomization that are used; it has no schema among the API's."""

    apiVersion: str  # noqa: N815
    kind: str
    namespace: str
    resources: list[str]
    configMapGenerator: list[Generator]  # noqa: N815
    images: list[Image]


def test_the_kustomization_names_every_file(changed):
    raw = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    parsed = Kustomization.model_validate(raw)
    assert set(parsed.resources) == {
        f"kubernetes/{path.name}" for path in (DEPLOY / "kubernetes").iterdir()
    }
    (config,) = parsed.configMapGenerator
    assert all((DEPLOY / name).is_file() for name in config.files)
    (volume,) = [
        one for one in PODS["model-server"]["template"]["spec"]["volumes"] if "configMap" in one
    ]
    assert volume["configMap"]["name"] == config.name
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Kustomization.model_validate(changed(raw, ("configMapGenerator", 0, "file"), "x"))
