"""Reading the gateway's event log while it is written, rotated and erased from."""

import json

import psutil
import pytest

from tests.monitoring.shop import event_line, served_line, write_log
from tfrec.monitoring.experiment.shoppers import read_shoppers
from tfrec.monitoring.live.attribution import Attribution
from tfrec.monitoring.live.event_log import EventLogReader, ServedList, ShopperEvent, read_line

FIRST = "events-20251122T010000000000Z-0000abcd.jsonl"
SECOND = "events-20251122T020000000000Z-0000abce.jsonl"


def users(reader):
    return [line.user for line in reader.read()]


class TestLines:
    def test_the_two_kinds(self):
        served = read_line(json.dumps(served_line(1.0)).encode())
        event = read_line(json.dumps(event_line(2.0, value=3.5)).encode())
        assert isinstance(served, ServedList) and served.item_ids == ["item-00", "item-01"]
        assert isinstance(event, ShopperEvent) and (event.received, event.value) == (2.0, 3.5)

    def test_fields_of_later_formats_are_ignored(self):
        assert read_line(json.dumps({**event_line(1.0), "colour": "red"}).encode()) is not None

    @pytest.mark.parametrize("text", [
        b"", b"{", b"[1]", b"\xff\xfe", b"null",
        b'{"event": "click"}',
        json.dumps(event_line("yesterday")).encode(),
        json.dumps(served_line(1.0, history_length=-1)).encode(),
        json.dumps({**served_line(1.0), "event": "click"}).encode(),
        b'{"event":"click","time":1,"received":NaN,"user":"u","item_id":"a"}',
    ])  # fmt: skip
    def test_others_are_none(self, text):
        assert read_line(text) is None


class TestReader:
    def test_new_lines_are_read_once(self, tmp_path):
        reader = EventLogReader(tmp_path)
        write_log(tmp_path, [event_line(1, user="a"), event_line(2, user="b")], FIRST)
        assert users(reader) == ["a", "b"]
        assert users(reader) == []
        write_log(tmp_path, [event_line(3, user="c")], FIRST, append=True)
        write_log(tmp_path, [event_line(4, user="d")], SECOND)
        assert users(reader) == ["c", "d"]

    def test_segments_of_several_gateways_are_read_in_the_order_of_receipt(self, tmp_path):
        reader = EventLogReader(tmp_path)
        for begin in (0, 10):
            for name, times in ((FIRST, (1, 4, 5)), (SECOND, (2, 3, 6))):
                rows = [event_line(begin + time) for time in times]
                write_log(tmp_path, rows, name, append=True)
            assert [line.received - begin for line in reader.read()] == [1, 2, 3, 4, 5, 6]

    def test_of_what_was_received_at_once_lists_come_first(self, tmp_path):
        write_log(tmp_path, [event_line(1), event_line(2)], FIRST)
        write_log(tmp_path, [event_line(2), served_line(2)], SECOND)
        kinds = [type(line) for line in EventLogReader(tmp_path).read()]
        assert kinds == [ShopperEvent, ServedList, ShopperEvent, ShopperEvent]

    def test_what_comes_while_it_is_read_waits_for_the_next_call(self, tmp_path):
        write_log(tmp_path, [event_line(1, user="a")], FIRST)
        write_log(tmp_path, [event_line(2, user="b"), event_line(3, user="c")], SECOND)
        reader = EventLogReader(tmp_path)
        lines = reader.read()
        found = [next(lines).user, next(lines).user]
        # The list is in the segment that is at its end, and the click on it in the other.
        write_log(tmp_path, [served_line(4, user="d")], FIRST, append=True)
        write_log(tmp_path, [event_line(5, user="d")], SECOND, append=True)
        assert [*found, *(line.user for line in lines)] == ["a", "b", "c"]
        assert [line.received for line in reader.read()] == [4, 5]

    def test_segments_are_not_all_open_at_once(self, tmp_path):
        """A small shop has a segment a day, for years."""
        for number in range(30):
            name = f"events-{20250101 + number}T000000000000Z-0000abcd.jsonl"
            write_log(tmp_path, [event_line(number), event_line(number + 0.5)], name)
        process = psutil.Process()
        before = len(process.open_files())
        counts = [len(process.open_files()) for _ in EventLogReader(tmp_path).read()]
        assert len(counts) == 60 and max(counts) <= before + 2

    def test_a_line_under_way_is_read_when_it_is_finished(self, tmp_path):
        path = write_log(tmp_path, [event_line(1, user="a")], FIRST)
        text = json.dumps(event_line(2, user="b"))
        with path.open("a") as file:
            file.write(text[:20])
        reader = EventLogReader(tmp_path)
        assert users(reader) == ["a"]
        with path.open("a") as file:
            file.write(text[20:] + "\n")
        assert (users(reader), reader.bad_lines) == (["b"], 0)

    def test_a_segment_without_an_erased_shopper_gives_nothing_twice(self, tmp_path):
        lines = [event_line(n, user=u) for n, u in enumerate("abac", start=1)]
        path = write_log(tmp_path, lines, FIRST)
        reader = EventLogReader(tmp_path)
        assert users(reader) == list("abac")
        replacement = tmp_path / ".part"
        kept = [line for line in lines if line["user"] != "a"] + [event_line(9, user="d")]
        replacement.write_text("".join(json.dumps(line) + "\n" for line in kept))
        replacement.replace(path)
        assert users(reader) == ["d"]

    def test_a_segment_that_was_cut_is_read_anew(self, tmp_path):
        path = write_log(tmp_path, [event_line(n, user="a") for n in range(5)], FIRST)
        reader = EventLogReader(tmp_path)
        assert len(users(reader)) == 5
        path.write_text(json.dumps(event_line(9, user="b")) + "\n")
        assert users(reader) == ["b"]

    def test_segments_that_were_removed(self, tmp_path):
        path = write_log(tmp_path, [event_line(1, user="a")], FIRST)
        reader = EventLogReader(tmp_path)
        assert users(reader) == ["a"]
        path.unlink()
        assert users(reader) == []

    def test_bad_lines_are_counted_and_passed_over(self, tmp_path):
        path = write_log(tmp_path, [event_line(1, user="a")], FIRST)
        with path.open("ab") as file:
            file.write(b"garbage\n\xff\n")
        write_log(tmp_path, [event_line(2, user="b")], FIRST, append=True)
        reader = EventLogReader(tmp_path)
        assert (users(reader), reader.bad_lines) == (["a", "b"], 2)

    def test_what_is_too_old_is_left_out(self, tmp_path):
        write_log(tmp_path, [event_line(1, user="a"), event_line(5, user="b")], FIRST)
        assert users(EventLogReader(tmp_path, since=3)) == ["b"]

    def test_a_folder_that_comes_later(self, tmp_path):
        reader = EventLogReader(tmp_path / "log")
        assert (users(reader), reader.found) == ([], False)
        write_log(tmp_path / "log", [event_line(1, user="a")], FIRST)
        assert (users(reader), reader.found) == (["a"], True)

    def test_other_files_are_no_segments(self, tmp_path):
        write_log(tmp_path, [event_line(1)], ".lock")
        write_log(tmp_path, [event_line(1)], ".events-1.part")
        assert users(EventLogReader(tmp_path)) == []


class TestShoppersWithoutId:
    """Lines without a user are lines, but say nothing of any shopper."""

    def test_their_events_belong_to_a_list_by_its_id_only(self):
        served = served_line(1.0, user=None)
        attribution = Attribution(60.0)
        attribution.remember(read_line(json.dumps(served).encode()))
        alone = event_line(2.0, user=None)
        by_id = event_line(3.0, user=None, recommendation=served["recommendation_id"])
        assert attribution.find(read_line(json.dumps(alone).encode())) is None
        assert attribution.find(read_line(json.dumps(by_id).encode())) is not None

    def test_they_are_no_shopper_of_an_experiment(self):
        lines = [
            served_line(float(time), user=user, variant=variant)
            for time in (1, 2)
            for user, variant in (("a", "old"), ("b", "new"), (None, "old"))
        ]
        read = [read_line(json.dumps(line).encode()) for line in lines]
        assert len(read_shoppers(read, "old", "new", by="variant").table) == 2
