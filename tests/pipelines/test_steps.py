"""Steps run when something changed, are reused when nothing did, and survive a kill."""

import io
import os
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from pipelines.steps import Step, StepRunner, format_bytes, format_seconds
from tests.conftest import ROOT
from tfrec.config import RetrievalConfig
from tfrec.errors import UserError


class Job:
    """Copies source → copy → twice, counting how often each step ran."""

    def __init__(self, folder, settings=None):
        self.folder = folder
        self.settings = settings or RetrievalConfig()
        self.ran = []
        (folder / "source").write_text("x")

    def run(self):
        self.ran = []
        self.text = io.StringIO()
        console = Console(file=self.text, width=100)
        with StepRunner(self.folder / "state", 2, console) as runner:
            runner.run(self.step("copy", "source", "copy", 1, settings=self.settings))
            runner.run(self.step("double it", "copy", "twice", 2))
        self.runner = runner
        return self.ran

    def step(self, name, source, target, times, **inputs):
        def action():
            self.ran.append(name)
            target_path.write_text((self.folder / source).read_text() * times)

        target_path = self.folder / target
        return Step(name, action, {"source": self.folder / source, **inputs}, [target_path])


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


class TestReuse:
    def test_everything_runs_once(self, job):
        assert job.run() == ["copy", "double it"]
        assert (job.folder / "twice").read_text() == "xx"
        assert job.run() == []

    def test_changed_file_runs_what_depends_on_it(self, job):
        job.run()
        (job.folder / "source").write_text("y")
        assert job.run() == ["copy", "double it"]
        assert (job.folder / "twice").read_text() == "yy"

    def test_same_content_written_again_changes_nothing(self, job):
        job.run()
        (job.folder / "source").write_text("x")
        os.utime(job.folder / "source", (1, 1))
        assert job.run() == []

    def test_outcome_that_stays_the_same_stops_the_chain(self, job):
        job.run()
        job.settings = RetrievalConfig(dimension=8)
        assert job.run() == ["copy"]  # It writes the same copy again.

    def test_lost_output_is_made_again(self, job):
        job.run()
        (job.folder / "copy").unlink()
        assert job.run() == ["copy"]

    def test_shortened_output_is_made_again(self, job):
        job.run()
        (job.folder / "twice").write_text("x")
        assert job.run() == ["double it"]
        assert (job.folder / "twice").read_text() == "xx"

    def test_damaged_record_is_made_again(self, job):
        job.run()
        (job.folder / "state" / "copy.json").write_text("{")
        assert job.run() == ["copy"]

    def test_other_version_of_tfrec_runs_again(self, job, monkeypatch):
        job.run()
        monkeypatch.setattr("tfrec.__version__", "99")
        assert job.run() == ["copy", "double it"]


class TestFolders:
    def step(self, folder, ran):
        def action():
            ran.append(True)
            (folder / "out" / "deep").mkdir(parents=True, exist_ok=True)
            (folder / "out" / "deep" / "file").write_text("1")

        return Step("fill", action, {"in": folder / "in"}, [folder / "out"])

    def test_folders_stand_for_the_files_in_them(self, tmp_path):
        (tmp_path / "in" / "deep").mkdir(parents=True)
        (tmp_path / "in" / "deep" / "file").write_text("1")

        def runs():
            ran = []
            with StepRunner(tmp_path / "state", 1, Console(file=io.StringIO())) as runner:
                runner.run(self.step(tmp_path, ran))
            return bool(ran)

        assert [runs(), runs()] == [True, False]
        (tmp_path / "in" / "deep" / "more").touch()
        assert [runs(), runs()] == [True, False]
        (tmp_path / "in" / "deep" / "more").rename(tmp_path / "in" / "deep" / "renamed")
        assert [runs(), runs()] == [True, False]
        (tmp_path / "out" / "cache").touch()  # Others may add to what a step made.
        assert not runs()
        (tmp_path / "out" / "deep" / "file").unlink()
        assert [runs(), runs()] == [True, False]

    def test_lists_may_hold_files_and_settings(self, tmp_path):
        files = [tmp_path / "a", tmp_path / "b"]
        for file in files:
            file.write_text("1")
        ran = []

        def run(settings):
            step = Step("read", lambda: ran.append(True), {"in": [*files, settings]}, [])
            with StepRunner(tmp_path / "state", 1, Console(file=io.StringIO())) as runner:
                runner.run(step)
            return len(ran)

        assert [run(RetrievalConfig()), run(RetrievalConfig())] == [1, 1]
        files[1].write_text("2")
        assert [run(RetrievalConfig()), run(RetrievalConfig(dimension=8))] == [2, 3]


class TestFailures:
    def test_failed_step_runs_again_and_its_old_outcome_does_not_count(self, job):
        job.run()
        step = job.step("copy", "source", "copy", 1, settings="other")

        def fail():
            raise RuntimeError("broken")

        broken = Step(step.name, fail, step.inputs, step.outputs)
        with (
            pytest.raises(RuntimeError),
            StepRunner(job.folder / "state", 1, Console(file=io.StringIO())) as runner,
        ):
            runner.run(broken)
        assert job.run() == ["copy"]

    def test_missing_input_and_missing_output_are_defects_of_the_job(self, tmp_path):
        console = Console(file=io.StringIO())
        with StepRunner(tmp_path / "state", 1, console) as runner:
            with pytest.raises(FileNotFoundError, match=r"input .*nothing does not exist"):
                runner.run(Step("one", lambda: None, {"in": tmp_path / "nothing"}, []))
            with pytest.raises(FileNotFoundError, match=r"the step left no .*nothing"):
                runner.run(Step("two", lambda: None, {}, [tmp_path / "nothing"]))
        assert not (tmp_path / "state" / "two.json").exists()

    def test_two_runs_in_one_folder(self, tmp_path):
        with (
            StepRunner(tmp_path / "state", 1),
            pytest.raises(UserError, match="another run is working in"),
            StepRunner(tmp_path / "state", 1),
        ):
            pass
        with StepRunner(tmp_path / "state", 1):
            pass


KILLED_JOB = """
import sys, time
from pathlib import Path
from pipelines.steps import Step, StepRunner

def first():
    Path("ran").open("a").write("first ")
    Path("one").write_text("1")

def second():
    Path("ran").open("a").write("second ")
    Path("two").write_text("half")
    print("in the middle", flush=True)
    if "stop" in sys.argv:
        time.sleep(60)
    Path("two").write_text("whole")

with StepRunner("state", 2) as runner:
    runner.run(Step("first", first, {"seed": 1}, [Path("one")]))
    runner.run(Step("second", second, {"one": Path("one")}, [Path("two")]))
"""


def test_killed_job_continues_with_the_step_it_was_in(tmp_path, run_python):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_JOB, "stop"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "in the middle" in line:
                break
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "two").read_text() == "half"

    done = run_python("-c", KILLED_JOB)
    assert done.returncode == 0, done.stderr
    assert "[1/2] first: reused, nothing changed" in done.stdout
    assert "[2/2] second: done in " in done.stdout
    assert (tmp_path / "two").read_text() == "whole"
    assert (tmp_path / "ran").read_text() == "first second second "


class TestReport:
    def test_lines(self, job):
        job.run()
        assert "[1/2] copy …\n[1/2] copy: done in 0." in job.text.getvalue()
        job.run()
        assert job.text.getvalue() == (
            "[1/2] copy: reused, nothing changed\n[2/2] double it: reused, nothing changed\n"
        )

    def test_reused_steps_keep_their_cost(self, job):
        job.run()
        first = job.runner.reports
        assert all(report.seconds > 0 and report.peak_memory > 2**20 for report in first)
        job.run()
        again = job.runner.reports
        assert [(r.name, r.seconds, r.peak_memory) for r in again] == [
            (r.name, r.seconds, r.peak_memory) for r in first
        ]
        assert [report.reused for report in again] == [True, True]

    def test_table(self, job):
        job.run()
        (job.folder / "twice").unlink()
        job.run()
        text = io.StringIO()
        Console(file=text, width=100).print(job.runner.table())
        rows = [line for line in text.getvalue().splitlines() if " s " in line]
        # What this process holds depends on the tests before this one.
        memory = format_bytes(job.runner.reports[0].peak_memory)
        assert "copy" in rows[0] and "reused" in rows[0] and memory in rows[0]
        assert "double it" in rows[1] and "ran" in rows[1]
        assert "all" in rows[2] and "1 of 2 ran" in rows[2]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.26, "8.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3600, "60 min 00 s"),
    ],
)
def test_seconds_for_people(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(356 * 2**20, "356 MiB"), (1000 * 2**20, "1.0 GiB"), (1.9 * 2**30, "1.9 GiB")],
)
def test_bytes_for_people(size, text):
    assert format_bytes(size) == text
