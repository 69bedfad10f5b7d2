"""Progress goes to stderr, and leaves a readable trace where that is a file."""

import sys

from tfrec.progress import progress, write_line


def test_items_pass_through_and_stdout_stays_clean(capsys):
    assert list(progress([1, 2, 3], description="counting")) == [1, 2, 3]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "counting: 100%" in captured.err and "3/3" in captured.err


def test_manual_updates_reach_the_total(capsys):
    with progress(description="copying", total=4, unit="B") as bar:
        bar.update(4)
    assert "4/4" in capsys.readouterr().err


def test_a_log_file_does_not_fill_with_lines(capsys):
    for _ in progress(range(10_000), description="fast"):
        pass
    # One line at the start and one at the end; carriage returns part them.
    assert capsys.readouterr().err.count("\r") <= 3


def test_unknown_length(capsys):
    assert sum(progress(iter([1, 2]), description="streaming")) == 3
    assert "streaming: 2it" in capsys.readouterr().err


def test_lines_go_to_stderr_too(capsys):
    write_line("epoch 1 of 3")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "epoch 1 of 3\n")


def test_stderr_is_looked_up_when_called(monkeypatch, tmp_path):
    """Not at import: a server or a test may have replaced it since."""
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        list(progress([1], description="late"))
    assert "late" in (tmp_path / "log").read_text()
