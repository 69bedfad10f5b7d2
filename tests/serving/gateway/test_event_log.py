"""Segments: rotation, the bound, erasing beside writers, full disks."""

import errno
import fcntl
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from serving.gateway.erasures import Erasures
from serving.gateway.event_log import EventLog
from serving.history import Event, open_history
from tests.serving.history.conftest import redis_binary, redis_server  # noqa: F401

LINE = {"event": "click", "user": "ab12", "item_id": "Ü"}


def lines_of(folder):
    return [
        json.loads(line)
        for segment in sorted(folder.glob("events-*.jsonl"))
        for line in segment.read_text().splitlines()
    ]


def test_lines_are_stamped_and_written_as_utf_8(tmp_path):
    log = EventLog(tmp_path / "log")
    log.write([LINE, LINE])
    (segment,) = log.segments()
    assert "Ü" in segment.read_text(encoding="utf-8")
    first, second = lines_of(tmp_path / "log")
    assert first == second
    assert list(first)[:2] == ["format", "received"]
    assert first["format"] == 1
    assert segment.stat().st_mode & 0o777 == 0o640
    log.close()


def test_a_full_segment_is_followed_by_another(tmp_path):
    log = EventLog(tmp_path, segment_bytes=200)
    for _ in range(5):
        log.write([LINE])
    sizes = [segment.stat().st_size for segment in log.segments()]
    assert len(sizes) > 1 and max(sizes) <= 200
    assert len(lines_of(tmp_path)) == 5
    # One write is never torn apart, whatever its size.
    log.write([LINE] * 10)
    assert len(lines_of(tmp_path)) == 15
    log.close()


def test_an_old_segment_is_followed_by_another(tmp_path):
    log = EventLog(tmp_path, segment_seconds=-1.0)
    log.write([LINE])
    log.write([LINE])
    assert len(log.segments()) == 2
    log.close()


def test_the_oldest_segments_make_room(tmp_path):
    log = EventLog(tmp_path, segment_bytes=100, total_bytes=350)
    for number in range(20):
        log.write([{**LINE, "number": number}])
    assert sum(segment.stat().st_size for segment in log.segments()) <= 350
    numbers = [line["number"] for line in lines_of(tmp_path)]
    assert numbers == list(range(20 - len(numbers), 20)) and len(numbers) >= 2
    log.close()


def test_erasing_rewrites_only_what_holds_the_shopper(tmp_path):
    log = EventLog(tmp_path, segment_bytes=100)
    for user in ("aa", "bb", "aa"):
        log.write([{**LINE, "user": user}])
    before = {segment.name: segment.stat().st_ino for segment in log.segments()}
    assert log.erase("aa") == 2
    after = {segment.name: segment.stat().st_ino for segment in log.segments()}
    assert [before[name] == after[name] for name in sorted(before)] == [False, True, False]
    assert [line["user"] for line in lines_of(tmp_path)] == ["bb"]
    assert log.erase("aa") == 0
    log.close()


def test_an_item_of_the_shoppers_name_is_no_shopper(tmp_path):
    log = EventLog(tmp_path)
    log.write([{**LINE, "user": "bb", "item_id": '"user":"aa"'}, {**LINE, "user": "bb"}])
    assert log.erase("aa") == 0
    log.close()


def test_what_came_after_an_erasure_elsewhere_stays(tmp_path, redis_server):  # noqa: F811
    with open_history(redis_server.url) as history:
        log, other = EventLog(tmp_path / "one"), EventLog(tmp_path / "other")
        for each in (log, other):
            each.write([LINE, {**LINE, "user": "cd"}])
        time.sleep(0.01)
        history.append("ab12", [Event("A1", "view", 1.0)])
        assert history.erase("ab12") == 1
        time.sleep(0.01)
        other.write([LINE])  # The shopper is back.
        erasures = Erasures(history, other)
        erasures.follow()
        assert [line["user"] for line in lines_of(tmp_path / "other")] == ["cd", "ab12"]
        ((user, _),) = history.erasures()
        assert user == "ab12"
        log.close()
        other.close()


class ToldErasures:
    """A history that tells these erasures."""

    def __init__(self, *erasures):
        self.told = list(erasures)

    def erasures(self):
        return self.told


def test_a_line_torn_by_a_crash_is_erased_with_its_shopper(tmp_path):
    log = EventLog(tmp_path)
    log.write([LINE, {**LINE, "user": "cd"}])
    (segment,) = log.segments()
    whole = segment.read_bytes()
    first, second = whole.splitlines(keepends=True)
    for torn, left in ((first[:-9], [second]), (second[:-9], [second, second[:-9]])):
        segment.write_bytes(whole + torn)
        Erasures(ToldErasures(("ab12", time.time())), log).follow()
        assert segment.read_bytes() == b"".join(left)
    log.close()


def test_each_segment_is_read_once_for_all_erasures(tmp_path, monkeypatch):
    log = EventLog(tmp_path, segment_bytes=1)
    users = [f"{number:02x}" for number in range(4)]
    for user in users:
        log.write([{**LINE, "user": user}])
    opened, plain_open = [], Path.open

    def noted_open(path, mode="r", **options):
        if mode == "rb":
            opened.append(path)
        return plain_open(path, mode, **options)

    history = ToldErasures(*((f"{number:04x}", time.time()) for number in range(50)))
    erasures = Erasures(history, log)
    monkeypatch.setattr(Path, "open", noted_open)
    erasures.follow()
    assert opened == log.segments()
    # Only what is new in the list is looked for; of two moments of a shopper the later one counts.
    history.told += [("01", time.time()), ("01", 1.0)]
    erasures._next = 0.0
    erasures.follow()
    assert [line["user"] for line in lines_of(tmp_path)] == ["00", "02", "03"]
    opened.clear()
    erasures._next = 0.0
    erasures.follow()
    assert opened == []
    log.close()


def test_writers_wait_only_for_segments_that_hold_the_shopper(tmp_path, monkeypatch):
    log = EventLog(tmp_path, segment_bytes=1)
    for user in ("aa", "bb", "aa", "cc"):
        log.write([{**LINE, "user": user}])
    exclusive, flock = [], fcntl.flock

    def noted_flock(file, how):
        if how == fcntl.LOCK_EX:
            exclusive.append(file)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", noted_flock)
    assert log.erase("aa") == 2
    # Once for whoever writes at the beginning, and once for each of the two.
    assert len(exclusive) == 3
    log.close()


def test_what_is_appended_between_the_look_and_the_lock_is_erased_or_kept(tmp_path, monkeypatch):
    log, other = EventLog(tmp_path), EventLog(tmp_path)
    log.write([LINE, {**LINE, "user": "cd"}])
    # The first lock is there to wait for writers; the second one is that of the segment.
    appended, flock = [[], [LINE, {**LINE, "user": "ef"}]], fcntl.flock

    def late_flock(file, how):
        if file == other._lock_file and how == fcntl.LOCK_EX and (lines := appended.pop(0)):
            log.write(lines)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late_flock)
    assert other.erase("ab12") == 2
    assert appended == []
    assert [line["user"] for line in lines_of(tmp_path)] == ["cd", "ef"]
    log.close()
    other.close()


def test_a_line_that_is_being_written_when_the_erasing_begins_is_erased(tmp_path, monkeypatch):
    log, other = EventLog(tmp_path), EventLog(tmp_path)
    flock = fcntl.flock

    def flock_after_a_writer(file, how):
        # The lock is had once whoever was before has written, here into a segment of its own.
        if file == other._lock_file and how == fcntl.LOCK_EX and not log.segments():
            log.write([LINE])
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", flock_after_a_writer)
    assert other.erase("ab12") == 1
    assert lines_of(tmp_path) == []
    log.close()
    other.close()


def test_lines_after_an_erasure_go_into_the_new_segment(tmp_path):
    log, other = EventLog(tmp_path), EventLog(tmp_path)
    log.write([LINE])
    assert other.erase("ab12") == 1
    log.write([{**LINE, "user": "cd"}])
    assert [line["user"] for line in lines_of(tmp_path)] == ["cd"]
    for segment in log.segments():
        segment.unlink()
    log.write([{**LINE, "user": "ef"}])
    assert [line["user"] for line in lines_of(tmp_path)] == ["ef"]
    log.close()
    other.close()


def write_many(folder, user, count, start):
    log = EventLog(folder, segment_bytes=2000)
    start.wait()
    for number in range(count):
        log.write([{"user": user, "number": number}])
    log.close()


def test_nothing_is_lost_where_processes_write_and_one_erases(tmp_path):
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    writers = [
        context.Process(target=write_many, args=(tmp_path, user, 300, start))
        for user in ("kept", "also")
    ]
    for writer in writers:
        writer.start()
    log = EventLog(tmp_path)
    log.write([{"user": "gone", "number": number} for number in range(10)])
    start.set()
    removed = 0
    while any(writer.is_alive() for writer in writers):
        log.write([{"user": "gone", "number": 0}])
        removed += log.erase("gone")
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found = [(line["user"], line["number"]) for line in lines_of(tmp_path)]
    assert sorted(found) == sorted(
        (user, number) for user in ("kept", "also") for number in range(300)
    )
    assert removed >= 11
    log.close()


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    log = EventLog(tmp_path)
    log.write([LINE])
    write = os.write

    def half(file, content):
        if len(content) < 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, bytes(content[:50]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space left"):
            log.write([LINE, LINE])
    log.write([{**LINE, "user": "cd"}])
    assert [line["user"] for line in lines_of(tmp_path)] == ["ab12", "cd"]
    log.close()


def test_a_folder_that_is_away_for_a_while_leaves_the_descriptors_of_others_alone(tmp_path):
    folder, away = tmp_path / "log", tmp_path / "away"
    log = EventLog(folder, segment_bytes=1)
    log.write([LINE])
    descriptor = log._file
    folder.rename(away)
    with pytest.raises(FileNotFoundError):
        log.write([LINE])
    # The kernel hands out the lowest number that is free: that of the segment before.
    stranger = os.open(tmp_path / "stranger", os.O_RDWR | os.O_CREAT)
    assert stranger == descriptor
    with pytest.raises(FileNotFoundError):
        log.write([LINE])
    away.rename(folder)
    log.write([{**LINE, "user": "cd"}])
    assert [line["user"] for line in lines_of(folder)] == ["ab12", "cd"]
    log.close()
    assert os.fstat(stranger).st_size == 0
    os.close(stranger)


def test_a_segment_that_is_deleted_while_it_is_opened_again_is_followed_by_another(
    tmp_path, monkeypatch
):
    log, other = EventLog(tmp_path), EventLog(tmp_path)
    log.write([LINE, {**LINE, "user": "cd"}])
    (segment,) = log.segments()
    assert other.erase("ab12") == 1
    plain_open = os.open

    def late_open(path, *arguments):
        segment.unlink(missing_ok=True)
        return plain_open(path, *arguments)

    monkeypatch.setattr(os, "open", late_open)
    log.write([{**LINE, "user": "ef"}])
    monkeypatch.undo()
    log.write([{**LINE, "user": "gh"}])
    assert [line["user"] for line in lines_of(tmp_path)] == ["ef", "gh"]
    log.close()
    other.close()
