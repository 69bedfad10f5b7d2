"""`tfrec update --follow` as a user gives it."""

import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from pipelines.update import command
from serving.history import UserHashes, open_history
from tests.conftest import ROOT
from tests.updating.kafka_brokers import broker, create_topic, send
from tests.updating.stream_shop import event, lines, numbers_in, stream_shop, without_training
from tfrec.errors import UserError
from tfrec.updating.history_feed import HistoryAwayError

ANSWER_SECONDS = 120.0
MOST_TRIES = 10


@pytest.fixture
def shop(tmp_path, monkeypatch):
    without_training(monkeypatch)
    return stream_shop(tmp_path / "shop")


def follow(shop, *arguments, source=None):
    given = ["--follow", str(source or shop.events), "--models", str(shop.models)]
    given += ["--state", str(shop.state.folder), *arguments]
    return CliRunner().invoke(command, given, catch_exceptions=False)


def test_a_folder_into_data_and_histories(shop):
    (shop.events / "a.jsonl").write_bytes(lines(range(5)))
    url = f"sqlite:///{shop.folder / 'history.db'}"
    done = follow(shop, "--once", "--history", url)
    assert "Version 1 stays: nothing was trained." in done.stdout
    assert "Batches taken in: 1, versions published: 0" in done.stderr
    assert numbers_in(shop.log()) == list(range(5))
    with open_history(url) as store:
        user = UserHashes(store).of(str(event(3)["user_id"]))
        kept = store.recent(user, 10)
    assert [(each.item_id, each.event, each.time) for each in kept] == [
        (event(3)["item_id"], "purchase", event(3)["timestamp"])
    ]


def test_a_topic_into_data_each_message_once(shop, tmp_path):
    with broker(tmp_path) as address:
        create_topic(address, "events", 2)
        send(address, "events", lines(range(6)).splitlines(), partition=0)
        send(address, "events", lines(range(6, 9)).splitlines(), partition=1)
        topic = f"kafka://{address}/events"
        follow(shop, "--once", "--batch-events", "4", source=topic)
        assert numbers_in(shop.log()) == list(range(9))
        assert shop.state.position("topic events") == {"0": 6, "1": 3}
        send(address, "events", lines([9]).splitlines(), partition=1)
        done = follow(shop, "--once", "--json", source=topic)
    assert '"accepted": 1, "rejected": {}' in done.stdout
    assert numbers_in(shop.log()) == list(range(10))


def test_from_the_start_what_is_known_is_left_out(shop):
    (shop.events / "a.jsonl").write_bytes(lines(range(5)))
    follow(shop, "--once", "--batch-events", "3")
    done = follow(shop, "--once", "--from-start")
    assert "already_known" in done.stdout
    assert numbers_in(shop.log()) == list(range(5))


def test_ends_cleanly_at_sigterm(shop):
    arguments = ["--follow", str(shop.events), "--models", str(shop.models)]
    arguments += ["--state", str(shop.state.folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.update", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        lock = shop.state.folder / "following" / ".lock"
        until = time.monotonic() + ANSWER_SECONDS
        while not lock.exists():
            assert time.monotonic() < until, "it does not begin to follow"
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == 0
    assert "Batches taken in: 0" in told.decode()


def test_sigterm_ends_it_while_the_histories_are_away(shop, monkeypatch):
    (shop.events / "a.jsonl").write_bytes(lines(range(3)))
    asked, kept = [], []

    def away(events):
        if not asked:
            os.kill(os.getpid(), signal.SIGTERM)
        asked.append(events)
        if len(asked) > MOST_TRIES:
            raise UserError("it goes on after the signal")
        raise HistoryAwayError("Redis does not answer")

    monkeypatch.setattr("pipelines.following.keeper", lambda *_: away)
    done = follow(shop, "--once", "--history", "redis://shop")
    assert done.exit_code == 0 and "the same command goes on from here" in done.stderr
    # What was not handed over is handed over by the next start.
    monkeypatch.setattr("pipelines.following.keeper", lambda *_: lambda e: kept.extend(e) or len(e))
    follow(shop, "--once", "--history", "redis://shop")
    assert [each.time for each in kept] == [event(n)["timestamp"] for n in range(3)]


class TestMistakes:
    @pytest.mark.parametrize("arguments", [[], ["--events", "a.csv", "--follow", "b"]])
    def test_neither_or_both_of_events_and_source(self, arguments):
        with pytest.raises(UserError, match="with --events, or a source of them with --follow"):
            CliRunner().invoke(
                command, [*arguments, "--models", "m", "--state", "s"], catch_exceptions=False
            )

    @pytest.mark.parametrize("settings, message", [
        (["--history", "file.db"], "the history URL should be"),
        (["--history", "sqlite:///h.db", "--user-salt-file", "missing"], "salt file missing"),
    ])  # fmt: skip
    def test_histories_that_cannot_be_used(self, shop, settings, message, monkeypatch):
        monkeypatch.chdir(shop.folder)
        with pytest.raises(UserError, match=message):
            follow(shop, "--once", *settings)
