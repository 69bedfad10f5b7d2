"""The file: several processes, locks, damage, versions, and what is left after erasing."""

import multiprocessing
import os
import shutil
import sqlite3
import threading

import pytest

from serving.history import Event, HistorySetupError, HistoryUnavailableError
from serving.history.sqlite import SqliteHistory

A = Event("A1", "view", 1000.0)


def write(path, number, count, start):
    start.wait()
    with SqliteHistory(path, keep=1000, busy_seconds=30.0) as history:
        for step in range(count):
            history.append("u", [Event(f"{number}-{step}", "view", float(step))])


def test_processes_share_a_file_from_its_first_moment(tmp_path):
    path = tmp_path / "history.db"
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    writers = [context.Process(target=write, args=(path, n, 25, start)) for n in range(4)]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    with SqliteHistory(path) as history:
        found = history.recent("u", 1000)
    assert sorted(event.item_id for event in found) == sorted(
        f"{number}-{step}" for number in range(4) for step in range(25)
    )


def test_the_first_to_use_a_file_waits_for_another_who_makes_it(tmp_path):
    path = tmp_path / "history.db"
    maker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    maker.execute("BEGIN IMMEDIATE")
    with (
        SqliteHistory(path, busy_seconds=0.05) as history,
        pytest.raises(HistoryUnavailableError, match=r"just now \(database is locked\)"),
    ):
        history.append("u", [A])
    release = threading.Timer(0.2, maker.execute, ["ROLLBACK"])
    release.start()
    with SqliteHistory(path, busy_seconds=60.0) as history:
        assert history.append("u", [A]) == [True]
        assert history.recent("u", 5) == [A]
    release.join()
    maker.close()


def test_a_reader_does_not_wait_for_a_writer_but_a_writer_does(tmp_path):
    path = tmp_path / "history.db"
    with SqliteHistory(path, busy_seconds=0.05) as history:
        history.append("u", [A])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert history.recent("u", 5) == [A]
        with pytest.raises(HistoryUnavailableError, match=r"just now \(database is locked\)"):
            history.append("u", [Event("B1", "view", 2000.0)])
        other.execute("ROLLBACK")
        other.close()
        assert history.append("u", [Event("B1", "view", 2000.0)]) == [True]


def test_damage_is_said_and_a_file_put_in_place_is_used(tmp_path):
    path, backup = tmp_path / "history.db", tmp_path / "backup.db"
    with SqliteHistory(path) as history:
        history.append("u", [A])
    shutil.copy(path, backup)
    path.write_bytes(b"not a database" * 1000)
    with SqliteHistory(path) as history:
        for _ in range(2):
            with pytest.raises(HistorySetupError, match=r"is damaged or no history .* backup"):
                history.recent("u", 5)
        shutil.copy(backup, path)
        assert history.recent("u", 5) == [A]


def test_damage_while_it_is_open_is_said(tmp_path):
    path = tmp_path / "history.db"
    with SqliteHistory(path) as history:
        for user in range(200):
            history.append(str(user), [Event("x" * 200, "view", float(user))])
    size = path.stat().st_size
    with SqliteHistory(path) as history:
        history.check()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        with pytest.raises(HistorySetupError, match="is damaged"):
            for user in range(200):
                history.recent(str(user), 5)


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with (
        SqliteHistory(tmp_path / "no" / "history.db") as history,
        pytest.raises(HistoryUnavailableError, match="unable to open database file"),
    ):
        history.check()


def test_databases_of_others_are_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE events (x)")
    before = path.read_bytes()
    with SqliteHistory(path) as history, pytest.raises(HistorySetupError, match="another program"):
        history.check()
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "history.db"
    with SqliteHistory(path) as history:
        history.append("u", [A])
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 2")
    with (
        SqliteHistory(path) as history,
        pytest.raises(HistorySetupError, match="has schema 2, and this version of tfrec reads 1"),
    ):
        history.recent("u", 5)


def test_only_the_owner_may_read_the_files(tmp_path):
    with SqliteHistory(tmp_path / "history.db") as history:
        history.append("u", [A])
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 3


def test_nothing_of_an_erased_shopper_is_left_in_any_file(tmp_path):
    path = tmp_path / "history.db"
    with SqliteHistory(path) as history:
        history.append("feedc0de", [Event("left-behind", "view", 1.0)])
        history.append("other", [A])

        def holds(text):
            return [file.name for file in tmp_path.iterdir() if text in file.read_bytes()]

        assert holds(b"feedc0de") and holds(b"left-behind")
        history.erase("feedc0de")
        assert holds(b"feedc0de") == holds(b"left-behind") == []
        assert history.recent("other", 5) == [A]


def test_an_erasure_is_not_done_while_a_reader_keeps_the_write_ahead_log(tmp_path):
    path = tmp_path / "history.db"
    with SqliteHistory(path, busy_seconds=0.05) as history:
        history.append("feedc0de", [A])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        for _ in range(2):
            with pytest.raises(HistoryUnavailableError, match=r"not from its write-ahead log, .*"):
                history.erase("feedc0de")
        assert history.recent("feedc0de", 5) == []
        reader.execute("COMMIT")
        reader.close()
        assert history.erase("feedc0de") == 0
        assert not any(b"feedc0de" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_thread_that_ends_takes_its_connection_with_it(tmp_path):
    path = tmp_path / "history.db"
    with SqliteHistory(path) as history:
        history.append("u", [A])

        def open_files():
            return sum(
                os.path.realpath(f"/proc/self/fd/{number}") == str(path)
                for number in os.listdir("/proc/self/fd")
            )

        before = open_files()
        for _ in range(20):
            thread = threading.Thread(target=history.recent, args=("u", 5))
            thread.start()
            thread.join()
        assert open_files() <= before + 1
    assert open_files() == 0
