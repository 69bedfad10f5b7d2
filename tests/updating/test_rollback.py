"""Roll-backs of models folders that hold nothing but names."""

import json

import pytest
from click.testing import CliRunner

from pipelines import monitor, rollback
from tfrec.errors import UserError
from tfrec.export.versions import MODELS, versions_of
from tfrec.monitoring.alerts.actions import ActionSink
from tfrec.monitoring.alerts.book import AlertBook, Figure
from tfrec.monitoring.alerts.rules import Rule
from tfrec.updating.rollback import RollBackOnce, roll_back


@pytest.fixture
def models(tmp_path):
    for name in MODELS:
        for version in (1, 2, 3):
            (tmp_path / name / str(version)).mkdir(parents=True)
    return tmp_path


def served(models):
    return {name: list(versions_of(models / name)) for name in MODELS}


def test_the_version_before_is_served_again(models):
    done = roll_back(models)
    assert (done.withdrawn, done.served) == ([3], 2)
    assert served(models) == {key: [1, 2] for key in MODELS}
    assert (models / "retrieval" / ".3.withdrawn").is_dir()


def test_to_a_version(models):
    assert roll_back(models, to=1).withdrawn == [3, 2]
    assert served(models) == {key: [1] for key in MODELS}


def test_the_only_version_stays(models):
    roll_back(models, to=1)
    with pytest.raises(UserError, match="1 is the only version"):
        roll_back(models)


def test_what_a_broken_roll_back_left_is_finished(models):
    (models / "recommender" / "3").rename(models / "recommender" / ".3.withdrawn")
    assert roll_back(models).served == 2
    assert served(models) == {key: [1, 2] for key in MODELS}


@pytest.mark.parametrize("to, message", [
    (3, "3 is the newest version"),
    (7, "there is no version 7 .*there are 1, 2, 3"),
])  # fmt: skip
def test_mistakes(models, to, message):
    with pytest.raises(UserError, match=message):
        roll_back(models, to=to)
    assert served(models) == {key: [1, 2, 3] for key in MODELS}


def test_no_versions(tmp_path):
    with pytest.raises(UserError, match="there is no version in"):
        roll_back(tmp_path)


def test_the_command(models):
    done = CliRunner().invoke(rollback.command, ["--models", str(models), "--json"])
    assert json.loads(done.stdout) == {"withdrawn": [3], "served": 2}
    done = CliRunner().invoke(rollback.command, ["--models", str(models)])
    assert "Version 2 is withdrawn; 1 is the newest" in done.stdout


class TestAsARuleOfTheMonitor:
    RULES = (
        Rule(name="empty", metric="empty_share", above=0.5, action="roll_back"),
        Rule(name="slow", metric="latency", above=10.0),
        Rule(name="lost", metric="conversions", below=1.0, action="roll_back"),
    )

    def alerts(self, **figures):
        book = AlertBook(self.RULES)
        values = {name: Figure(value) for name, value in figures.items()}
        return book.update(values, now=1.7e9, elapsed=0.0)

    def test_one_bad_version_is_taken_back_once(self, models):
        sink = ActionSink(self.RULES, {"roll_back": RollBackOnce(models)})
        for alert in self.alerts(empty_share=0.9, conversions=0.0):
            sink.send(alert)
        assert served(models) == {key: [1, 2] for key in MODELS}
        for name in MODELS:
            (models / name / "4").mkdir()
        for alert in self.alerts(empty_share=0.9):
            sink.send(alert)
        assert served(models) == {key: [1, 2] for key in MODELS}

    def test_nor_is_the_one_before_when_the_monitor_is_started_again(self, models):
        for _ in range(2):
            sink = ActionSink(self.RULES, {"roll_back": RollBackOnce(models)})
            for alert in self.alerts(empty_share=0.9):
                sink.send(alert)
            assert served(models) == {key: [1, 2] for key in MODELS}

    def test_a_rule_without_action_only_tells(self, models):
        sink = ActionSink(self.RULES, {"roll_back": RollBackOnce(models)})
        (alert,) = self.alerts(latency=20.0)
        sink.send(alert)
        assert served(models) == {key: [1, 2, 3] for key in MODELS}

    def test_what_cannot_be_done_is_logged_and_no_more(self, models, caplog):
        for name in MODELS:
            for version in (2, 3):
                (models / name / str(version)).rmdir()
        sink = ActionSink(self.RULES, {"roll_back": RollBackOnce(models)})
        (alert,) = self.alerts(empty_share=0.9)
        sink.send(alert)
        assert "nothing was done: 1 is the only version" in caplog.text

    def test_the_monitor_needs_the_models_folder(self, tmp_path):
        config = tmp_path / "monitor.yaml"
        config.write_text("rules: [{name: a, metric: b, above: 1, action: roll_back}]")
        arguments = ["--out", str(tmp_path / "out"), "--rest", "localhost:1", "--once"]
        done = CliRunner().invoke(monitor.command, [*arguments, "--config", str(config)])
        assert "name it with --models" in str(done.exception)
