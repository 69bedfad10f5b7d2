"""The `tfrec` command: its help, its spellings, its speed and its exit codes."""

import importlib
import re
import time

import click
import pytest
import yaml
from click.testing import CliRunner

import tfrec
from pipelines.cli import GROUPS, SECTIONS, STAGES, tfrec_command
from tests.conftest import ROOT
from tfrec.config import ExperimentConfig

# The contract with users: these spellings stay.
SPELLINGS = {
    "demo": ["--workdir"],
    "data prepare": ["--events", "--items", "--out", "--config"],
    "train text": ["--data", "--out", "--config", "--distil", "--seed", "--json"],
    "train retrieval": ["--data", "--out", "--config", "--seed", "--from"],
    "train ranking": ["--data", "--out", "--config", "--seed"],
    "evaluate": ["--run", "--split", "--json", "--ranks"],
    "export": ["--run", "--models"],
    "index refresh": ["--models", "--items"],
    "update": ["--events", "--items", "--models", "--state", "--run", "--config", "--json"],
    "rollback": ["--models", "--to", "--json"],
    "lineage": ["--models", "--state", "--json"],
    "launch forecast": ["--events", "--catalogue", "--items", "--out", "--config", "--json"],
    "feedback labels": ["--event-log", "--out", "--config", "--json"],
    "feedback evaluate": ["--event-log", "--run", "--config", "--json"],
    "serve": ["--models", "--port", "--rest-port"],
    "recommend": ["--server", "--history", "-k", "--json"],
    "search": ["--server", "--query", "--category", "--price-from", "--price-to", "-k", "--json"],
    "similar": ["--server", "--item", "-k", "--json"],
    "cart": ["--server", "--basket", "-k", "--json"],
    "home": ["--server", "--history", "--now", "--json"],
    "train surfaces": ["--run", "--data", "--overwrite"],
    "runs": ["--json"],
    "monitor": ["--out", "--server", "--rest", "--gateway", "--event-log", "--models", "--config"],
    "ab": ["--event-log", "--a", "--b", "--by", "--split", "--json"],
    "config show": ["--config"],
}


@pytest.fixture
def tfrec_cli(run_python):
    """Runs ``tfrec *arguments`` in a process of its own."""
    return lambda *arguments: run_python("-m", "pipelines.cli", *arguments)


def stage_command(name: str) -> click.Command:
    return importlib.import_module(STAGES[name].module).command


class TestHelp:
    def test_it_is_fast_and_loads_no_tensorflow(self, run_python):
        program = (
            "import sys; sys.argv = ['tfrec', '--help']\n"
            "from pipelines.cli import main\n"
            "try:\n    main()\n"
            "except SystemExit as done:\n"
            "    print(done.code, *sys.modules)\n"
        )
        started = time.monotonic()
        done = run_python("-c", program)
        seconds = time.monotonic() - started
        code, *modules = done.stdout.splitlines()[-1].split()
        assert code == "0"
        assert not {"tensorflow", "pandas", "numpy", "grpc"} & set(modules)
        # A quarter of a second where nothing else runs; TensorFlow alone takes three.
        assert seconds < 1.5

    def test_it_shows_every_command_with_its_summary(self, tfrec_cli):
        done = tfrec_cli("--help")
        assert (done.returncode, done.stderr) == (0, "")
        for name, stage in STAGES.items():
            assert re.search(rf"^  {name} +{re.escape(stage.summary)}$", done.stdout, re.MULTILINE)
        for title in SECTIONS:
            assert f"\n{title}:\n" in done.stdout

    def test_without_arguments_it_is_shown_as_a_mistake(self, tfrec_cli):
        done = tfrec_cli()
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("Usage: tfrec")

    @pytest.mark.parametrize("name", GROUPS)
    def test_groups_show_their_commands(self, name):
        shown = CliRunner().invoke(tfrec_command, [name, "--help"])
        assert shown.exit_code == 0
        below = [stage for stage in STAGES if stage.startswith(f"{name} ")]
        assert below
        for stage in below:
            assert f"  {stage.split()[1]} " in shown.output

    @pytest.mark.parametrize("name", STAGES)
    def test_every_command_has_help_that_begins_with_its_summary(self, name):
        shown = CliRunner().invoke(tfrec_command, [*name.split(), "--help"], prog_name="tfrec")
        assert shown.exit_code == 0, shown.output
        assert f"Usage: tfrec {name} [OPTIONS]" in shown.output
        assert (stage_command(name).help or "").split("\n")[0] == STAGES[name].summary

    @pytest.mark.parametrize("name", STAGES)
    def test_every_option_is_explained(self, name):
        command = stage_command(name)
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                word = str(parameter.metavar).strip("[]")
                assert word in (command.help or ""), f"{word} is not explained"
                continue
            assert isinstance(parameter, click.Option), f"{parameter.name} is no option"
            assert parameter.help, f"{parameter.name} is not explained"

    def test_version(self, tfrec_cli):
        assert tfrec_cli("--version").stdout == f"tfrec, version {tfrec.__version__}\n"


class TestSpellings:
    def test_commands(self):
        assert set(SPELLINGS) <= set(STAGES)

    @pytest.mark.parametrize("name", SPELLINGS)
    def test_options(self, name):
        options = {text for option in stage_command(name).params for text in option.opts}
        assert set(SPELLINGS[name]) <= options

    @pytest.mark.parametrize("name", STAGES)
    def test_every_stage_runs_by_itself_too(self, name):
        source = (ROOT / STAGES[name].module.replace(".", "/")).with_suffix(".py").read_text()
        assert source.endswith('if __name__ == "__main__":\n    run(command)\n')


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                "recomend",
                "no such command `recomend`; did you mean `recommend`?; see `tfrec --help`",
            ),
            (
                "train model",
                "no such command `model`; there are text, retrieval, ranking, surfaces; "
                "see `tfrec train --help`",
            ),
            (
                "config show --cnfig x",
                "no such option '--cnfig'. Did you mean '--config'?; "
                "see `tfrec config show --help`",
            ),
            (
                "config show --config",
                "option '--config' requires an argument",
            ),
            (
                "config show extra",
                "got unexpected extra argument (extra); see `tfrec config show --help`",
            ),
            ("config show --config no.yaml", "there is no configuration file no.yaml"),
            (
                "--verbose",
                "no such option '--verbose'. Did you mean '--version'?; see `tfrec --help`",
            ),
        ],
    )
    def test_one_sentence_and_exit_code_2(self, tfrec_cli, arguments, sentence):
        done = tfrec_cli(*arguments.split())
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {sentence}\n")

    @pytest.mark.parametrize("name", sorted(set(STAGES) - {"demo", "runs", "config show"}))
    def test_missing_options_are_named(self, name):
        result = CliRunner().invoke(tfrec_command, name.split())
        assert result.exit_code == 2
        required = [option for option in stage_command(name).params if option.required]
        assert required
        assert f"Missing option '{required[0].opts[0]}'" in result.output


class TestConfigShow:
    def test_defaults(self, tfrec_cli):
        done = tfrec_cli("config", "show")
        assert (done.returncode, done.stderr) == (0, "")
        assert ExperimentConfig.model_validate(yaml.safe_load(done.stdout)) == ExperimentConfig()

    def test_values_and_defaults(self, tfrec_cli, tmp_path):
        (tmp_path / "experiment.yaml").write_text("retrieval:\n  dimension: 32\n")
        shown = yaml.safe_load(tfrec_cli("config", "show", "--config", "experiment.yaml").stdout)
        assert shown["retrieval"]["dimension"] == 32
        assert shown["seed"] == ExperimentConfig().seed

    def test_mistake_names_the_key(self, tfrec_cli, tmp_path):
        (tmp_path / "experiment.yaml").write_text("retrieval:\n  dimention: 32\n")
        done = tfrec_cli("config", "show", "--config", "experiment.yaml")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            "error: experiment.yaml: unknown key `retrieval.dimention`; did you mean "
            "`retrieval.dimension`?\n"
        )

    def test_runs_as_a_module(self, run_python):
        assert run_python("-m", "pipelines.config_show").stdout.startswith("seed: ")
