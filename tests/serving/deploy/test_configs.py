"""The model server's configuration files parse as its own messages, Prometheus's as its format."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from pydantic import BaseModel, ConfigDict, ValidationError

from serving import wire
from tests.serving.deploy.conftest import DEPLOY

MESSAGES = {
    "models.config": wire.ModelServerConfig,
    "batching_parameters.txt": wire.BatchingParameters,
    "monitoring.config": wire.MonitoringConfig,
}


def parse(name, text=None):
    return text_format.Parse(text or (DEPLOY / name).read_text(), MESSAGES[name]())


def test_the_models_are_those_that_export_writes():
    from tfrec.export.versions import MODELS

    configs = parse("models.config").model_config_list.config
    assert sorted(one.name for one in configs) == sorted(MODELS)
    assert {one.base_path for one in configs} == {f"/models/{name}" for name in MODELS}
    assert {one.model_version_policy.latest.num_versions for one in configs} == {1}


def test_batches_pad_and_nobody_waits():
    batching = parse("batching_parameters.txt")
    assert batching.pad_variable_length_inputs
    assert batching.batch_timeout_micros.value == 0
    assert batching.max_batch_size.value > 1


def test_metrics_are_where_prometheus_asks_for_them():
    monitoring = parse("monitoring.config").prometheus_config
    assert monitoring.enable
    (path,) = [
        job["metrics_path"]
        for job in yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
        if job["job_name"] == "model-server"
    ]
    assert monitoring.path == path


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("models.config", "base_path", "path"),
        ("models.config", "num_versions: 1", 'num_versions: "one"'),
        ("batching_parameters.txt", "max_batch_size {", "max_batchsize {"),
        ("batching_parameters.txt", "inputs: true", "inputs: 7"),
        ("monitoring.config", "enable", "enabled"),
        ("monitoring.config", "}", ""),
    ],
)
def test_a_wrong_field_is_found(name, right, wrong):
    text = (DEPLOY / name).read_text()
    assert right in text
    with pytest.raises(text_format.ParseError):
        parse(name, text.replace(right, wrong))


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Targets(Strict):
    targets: list[str]


class Job(Strict):
    job_name: str
    metrics_path: str = "/metrics"
    static_configs: list[Targets]


class Global(Strict):
    scrape_interval: str
    evaluation_interval: str


class Prometheus(Strict):
    """The fields of Prometheus's configuration that are used."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)
    scrape_configs: list[Job]
    global_: Global

    @classmethod
    def of(cls, raw):
        return cls(global_=raw["global"], **{key: raw[key] for key in raw if key != "global"})


@pytest.fixture(scope="module")
def prometheus():
    return yaml.safe_load((DEPLOY / "prometheus.yml").read_text())


def test_prometheus_asks_services_that_are_there(prometheus, compose):
    jobs = {job.job_name: job for job in Prometheus.of(prometheus).scrape_configs}
    for name in ("model-server", "gateway"):
        (target,) = jobs[name].static_configs[0].targets
        host, _, port = target.partition(":")
        service = compose["services"][host]
        published = [entry.split(":")[-1] for entry in service["ports"]]
        assert port in published


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("global", "scrap_interval"), "15s"),
        (("scrape_configs", 0, "metric_path"), "/metrics"),
        (("scrape_configs", 0, "static_configs", 0, "targets"), "localhost:1"),
    ],
)
def test_a_wrong_field_of_prometheus_is_found(prometheus, changed, path, value):
    with pytest.raises(ValidationError):
        Prometheus.of(changed(prometheus, path, value))


def test_promtool_accepts_it_and_finds_a_wrong_field(prometheus, changed, tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool (Debian: prometheus)")

    def check(path: Path) -> int:
        return subprocess.run([promtool, "check", "config", str(path)], check=False).returncode

    assert check(DEPLOY / "prometheus.yml") == 0
    wrong = tmp_path / "prometheus.yml"
    wrong.write_text(
        yaml.safe_dump(changed(prometheus, ("scrape_configs", 0, "metric_path"), "/m"))
    )
    assert check(wrong) != 0
