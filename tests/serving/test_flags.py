from pathlib import Path

import pytest

from serving.server.config_files import FlagError, read_model_config
from serving.server.flags import parse
from serving.server.model_configs import ModelConfig, Policy

CONFIG = """
model_config_list {
  config { name: "retrieval" base_path: "/models/retrieval" model_platform: "tensorflow" }
  config {
    name: "ranking"
    base_path: "/models/ranking"
    model_platform: "tensorflow"
    model_version_policy { specific { versions: 3 versions: 5 } }
    version_labels { key: "stable" value: 3 }
  }
  config {
    name: "recommender"
    base_path: "/models/recommender"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 2 } }
  }
}
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "models.config"
        path.write_text(text)
        return path

    return write


def test_defaults_are_the_official_ones():
    flags = parse(["--model_base_path=/models/m"])
    assert flags.models == (ModelConfig("default", Path("/models/m")),)
    assert (flags.port, flags.rest_api_port, flags.rest_api_timeout_in_ms) == (8500, 0, 30_000)
    assert (flags.poll_seconds, flags.max_num_load_retries, flags.load_retry_seconds) == (1, 5, 60)
    assert flags.enable_model_warmup


@pytest.mark.parametrize(
    ("argument", "value"),
    [("=false", False), ("=0", False), ("=true", True), ("", True)],
)
def test_booleans_are_written_as_officially(argument, value):
    flags = parse(["--model_base_path=/m", f"--enable_model_warmup{argument}"])
    assert flags.enable_model_warmup is value


def test_a_config_file_names_models_policies_and_labels(written):
    assert read_model_config(written(CONFIG)) == (
        ModelConfig("retrieval", Path("/models/retrieval")),
        ModelConfig(
            "ranking",
            Path("/models/ranking"),
            Policy("specific", versions=(3, 5)),
            {"stable": 3},
        ),
        ModelConfig("recommender", Path("/models/recommender"), Policy("latest", count=2)),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model_config_list { config { nam: 1 } }", "is no ModelServerConfig in text format"),
        ("", "lists no model"),
        (
            'model_config_list { config { name: "m" base_path: "m" '
            'model_platform: "tensorflow" } }',
            r"Expected model m to have an absolute path or URI; got base_path\(\)=m",
        ),
        (
            'model_config_list { config { name: "m" base_path: "/a" } }',
            "Illegal setting neither ModelServerConfig::model_type",
        ),
        (
            'model_config_list { config { name: "m" base_path: "/a" model_platform: "jax" } }',
            "Model m requests unsupported platform jax",
        ),
        (
            'model_config_list { config { name: "m" base_path: "/a" model_platform: "tensorflow" } '
            'config { name: "m" base_path: "/b" model_platform: "tensorflow" } }',
            "Illegal to list model m multiple times in config list",
        ),
    ],
)
def test_a_config_file_that_cannot_work_is_one_sentence(written, text, sentence):
    with pytest.raises(FlagError, match=sentence):
        read_model_config(written(text))


def test_a_missing_config_file_and_missing_flags_are_said(tmp_path):
    with pytest.raises(FlagError, match=r"cannot read .*/no, the --model_config_file \(No such"):
        read_model_config(tmp_path / "no")
    with pytest.raises(FlagError, match="give --model_base_path or --model_config_file"):
        parse([])
    with pytest.raises(FlagError, match="--port should be between 1 and 65535, not 70000"):
        parse(["--model_base_path=/m", "--port=70000"])


def test_the_server_refuses_in_one_sentence(run_python, tmp_path):
    result = run_python("-m", "serving.server", f"--model_config_file={tmp_path / 'no'}")
    assert result.returncode == 2
    assert result.stderr.startswith(
        f"error: cannot read {tmp_path / 'no'}, the --model_config_file"
    )
    assert result.stderr.count("\n") == 1
    (tmp_path / "m").mkdir()
    result = run_python("-m", "serving.server", f"--model_base_path={tmp_path / 'm'}")
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert last == f"error: there is no version of model default in {tmp_path / 'm'} to load"
