"""Where events are read from as they arrive."""

import gzip
import json

import pandas as pd
import pytest

from tfrec.errors import UserError
from tfrec.updating.sources import DirectorySource, open_source
from tfrec.updating.sources.source import Origin


def line(number: int) -> bytes:
    return json.dumps({"n": number}).encode() + b"\n"


def append(path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "events").mkdir()
    return DirectorySource(tmp_path / "events")


@pytest.fixture
def folder(tmp_path, source):
    return tmp_path / "events"


class TestAppendedLines:
    def test_are_read_once_and_in_the_order_of_the_files(self, source, folder):
        (folder / "b.jsonl").write_bytes(line(3))
        (folder / "a.jsonl").write_bytes(line(1) + line(2))
        first = source.read({}, 10, 0.0)
        assert (first.events, first.lines) == (2, line(1) + line(2))
        second = source.read(first.position, 10, 0.0)
        assert (second.events, second.lines) == (1, line(3))
        assert source.read(second.position, 10, 0.0) is None
        append(folder / "a.jsonl", line(4))
        third = source.read(second.position, 10, 0.0)
        assert third.lines == line(4)
        assert third.position == {"a.jsonl": 27, "b.jsonl": 9}

    def test_a_piece_holds_at_most_so_many(self, source, folder):
        (folder / "a.jsonl").write_bytes(b"".join(line(number) for number in range(5)))
        position, sizes = {}, []
        while piece := source.read(position, 2, 0.0):
            position = piece.position
            sizes.append(piece.events)
        assert sizes == [2, 2, 1]

    def test_a_line_that_is_still_written_waits(self, source, folder):
        (folder / "a.jsonl").write_bytes(line(1) + b'{"n": 2')
        first = source.read({}, 10, 0.0)
        assert first.lines == line(1)
        assert source.read(first.position, 10, 0.0) is None
        append(folder / "a.jsonl", b"2}\n")
        assert source.read(first.position, 10, 0.0).lines == line(22)

    def test_a_last_line_without_an_end_counts_once_it_is_an_object(self, source, folder):
        (folder / "a.jsonl").write_bytes(b'{"n": 1}')
        first = source.read({}, 10, 0.0)
        assert first.lines == line(1)
        append(folder / "a.jsonl", b'\n{"n": 2}\n')
        assert source.read(first.position, 10, 0.0).lines == line(2)

    def test_an_unfinished_line_does_not_hold_up_other_files(self, source, folder):
        (folder / "a.jsonl").write_bytes(b'{"n"')
        (folder / "b.ndjson").write_bytes(line(2))
        assert source.read({}, 10, 0.0).lines == line(2)

    def test_a_file_that_shrank_is_one_sentence(self, source, folder):
        (folder / "a.jsonl").write_bytes(line(1) + line(2))
        position = source.read({}, 10, 0.0).position
        (folder / "a.jsonl").write_bytes(line(1))
        with pytest.raises(UserError, match="may only grow"):
            source.read(position, 10, 0.0)


class TestWholeFiles:
    def test_are_taken_whole_and_once(self, source, folder):
        pd.DataFrame({"n": range(7)}).to_parquet(folder / "a.parquet")
        (folder / "b.csv").write_text("n\n1\n2\n")
        (folder / "c.jsonl.gz").write_bytes(gzip.compress(line(1)))
        position, seen = {}, []
        while piece := source.read(position, 2, 0.0):
            position = piece.position
            seen.append((piece.path.name, piece.kind))
        assert seen == [
            ("a.parquet", ".parquet"),
            ("b.csv", ".csv"),
            ("c.jsonl.gz", ".jsonl.gz"),
        ]

    def test_rows_are_counted(self, source, folder):
        pd.DataFrame({"n": range(7)}).to_parquet(folder / "a.parquet")
        assert source.read({}, 2, 0.0).events == 7

    def test_a_damaged_one_is_handed_on(self, source, folder):
        (folder / "a.parquet").write_bytes(b"no parquet")
        assert source.read({}, 2, 0.0).path == folder / "a.parquet"

    def test_one_that_changes_is_one_sentence(self, source, folder):
        (folder / "a.csv").write_text("n\n1\n")
        position = source.read({}, 10, 0.0).position
        (folder / "a.csv").write_text("n\n1\n2\n")
        with pytest.raises(UserError, match="has changed since"):
            source.read(position, 10, 0.0)

    def test_hidden_and_other_files_are_none_of_it(self, source, folder):
        for name in (".a.csv.part", ".b.jsonl", "_c.jsonl", "readme.txt", "d.csv.part"):
            (folder / name).write_text("x\n")
        (folder / "e.csv").mkdir()
        assert source.read({}, 10, 0.0) is None


def test_deleted_files_leave_the_position(source, folder):
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_bytes(line(1))
    position = source.read(source.read({}, 10, 0.0).position, 10, 0.0).position
    assert sorted(position) == ["a.jsonl", "b.jsonl"]
    (folder / "a.jsonl").unlink()
    (folder / "c.jsonl").write_bytes(line(2))
    assert sorted(source.read(position, 10, 0.0).position) == ["b.jsonl", "c.jsonl"]


def test_a_folder_that_is_none_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"no folder to follow; make it, or .* kafka://"):
        open_source(str(tmp_path / "missing"))


def test_a_folder_that_goes_away_is_one_sentence(source, folder):
    folder.rmdir()
    with pytest.raises(UserError, match="cannot be followed"):
        source.read({}, 10, 0.0)


def test_an_origin_tells_what_it_moved_only():
    origin = Origin("folder /x", {"a": 5, "b": 1}, {"b": 3, "c": 2})
    assert origin.to_json() == {
        "source": "folder /x",
        "from": {"b": 1, "c": 0},
        "to": {"b": 3, "c": 2},
    }
