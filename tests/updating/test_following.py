"""Events that are taken in as they arrive: each once, whatever is killed."""

import os
import shutil
import subprocess
import threading
import time

import pandas as pd
import pytest

from tests.updating.stream_shop import (
    event,
    lines,
    numbers_in,
    stream_shop,
    without_training,
)
from tfrec.errors import UserError
from tfrec.files import read_json
from tfrec.updating.following import Follower, Limits, MicroBatch, Stop, Stopped
from tfrec.updating.history_feed import HistoryAwayError, HistoryFeed, kept_events
from tfrec.updating.sources import DirectorySource, Piece
from tfrec.updating.state import Ledger
from tfrec.updating.update import get_ready, update

NOW = 100.0
KILLS = 10


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return stream_shop(tmp_path_factory.mktemp("stream"))


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    """A shop of its own; the data set that it begins with is shared."""
    without_training(monkeypatch)
    shutil.copytree(made.folder, tmp_path / "shop", ignore=shutil.ignore_patterns("planted"))
    return type(made)(tmp_path / "shop")


def follower(shop, events=10, stop=None, **told):
    source = DirectorySource(shop.events)
    limits = Limits(events, 1e9)
    return Follower(source, shop.state.folder, shop.take, limits, stop or Stop(), **told)


def position(shop):
    return shop.state.position(DirectorySource(shop.events).name)


class TestMicroBatch:
    def test_is_due_by_count_or_by_the_age_of_its_oldest_event(self):
        batch = MicroBatch({})
        assert not batch.is_due(NOW, most=1, seconds=0.0)
        batch.add(Piece({"a": 1}, 3, lines=b"x"), NOW)
        batch.add(Piece({"a": 2}, 3, lines=b"x"), NOW + 5)
        assert not batch.is_due(NOW + 9, most=7, seconds=10.0)
        assert batch.is_due(NOW + 10, most=7, seconds=10.0)
        assert batch.is_due(NOW + 9, most=6, seconds=10.0)

    def test_a_piece_without_events_moves_the_position_only(self):
        batch = MicroBatch({"a": 1})
        batch.add(Piece({"a": 5}, 0), NOW)
        assert (batch.before, batch.after, batch.pieces) == ({"a": 1}, {"a": 5}, [])

    def test_files_of_one_kind_go_together(self, tmp_path):
        batch = MicroBatch({})
        for name in ("a.csv", "b.csv"):
            (tmp_path / name).write_text(name)
            batch.add(Piece({name: 1}, 1, kind=".csv", path=tmp_path / name), NOW)
        assert not batch.fits(Piece({}, 1, lines=b"x"))
        batch.write(tmp_path / "batch")
        assert sorted(path.name for path in (tmp_path / "batch").iterdir()) == ["a.csv", "b.csv"]
        assert (tmp_path / "batch" / "b.csv").read_text() == "b.csv"


def test_events_are_taken_in_once_and_in_batches(shop):
    (shop.events / "a.jsonl").write_bytes(lines(range(25)))
    batches = []
    follower(shop, on_batch=batches.append).run(once=True)
    assert [each.entry.batch["accepted"] for each in batches] == [10, 10, 5]
    assert [each.entry.outcome for each in batches] == ["kept"] * 3
    assert numbers_in(shop.log()) == list(range(25))
    first = batches[0].entry.batch["source"]
    assert first["from"] == {"a.jsonl": 0}
    assert first["to"] == batches[1].entry.batch["source"]["from"]
    assert position(shop) == {"a.jsonl": len(lines(range(25)))}
    # Nothing new: no batch.
    follower(shop, on_batch=batches.append).run(once=True)
    assert len(batches) == 3


def test_files_and_lines_of_several_kinds(shop):
    pd.DataFrame([event(number) for number in range(3)]).to_parquet(shop.events / "a.parquet")
    pd.DataFrame([event(number) for number in range(3, 5)]).to_csv(
        shop.events / "b.csv", index=False
    )
    (shop.events / "c.jsonl").write_bytes(lines(range(5, 9)))
    batches = []
    follower(shop, on_batch=batches.append).run(once=True)
    assert [each.entry.batch["events"] for each in batches] == [
        ["a.parquet"],
        ["b.csv"],
        ["events.jsonl"],
    ]
    assert numbers_in(shop.log()) == list(range(9))


def test_equal_events_further_on_are_another_batch(shop):
    """Known by its content alone, the second batch would be taken for the first come again."""
    repeated = lines(range(10))
    (shop.events / "a.jsonl").write_bytes(repeated + repeated)
    batches = []
    follower(shop, on_batch=batches.append).run(once=True)
    assert [each.repeated for each in batches] == [False, False]
    assert batches[1].entry.batch["rejected"] == {"already_known": 10}
    assert position(shop) == {"a.jsonl": 2 * len(repeated)}


def test_a_ledger_from_before_there_were_sources_is_read(shop):
    content = read_json(shop.state.folder / "ledger.json")
    del content["format"], content["positions"]
    assert Ledger(**content).positions == {}


class TestRefused:
    """A batch that cannot be used is put aside with the reason, and the source read on."""

    def test_the_files_are_kept_and_what_follows_is_taken_in(self, shop):
        (shop.events / "a.parquet").write_bytes(b"no parquet")
        (shop.events / "b.jsonl").write_bytes(lines(range(3)))
        batches = []
        follower(shop, on_batch=batches.append).run(once=True)
        refused, taken = (each.entry for each in batches)
        assert refused.outcome == "refused" and "not readable as Parquet" in refused.reason
        assert taken.batch["accepted"] == 3
        kept = shop.state.refused(refused.generation)
        assert (kept / "a.parquet").read_bytes() == b"no parquet"
        assert refused.reason in (kept / "reason.txt").read_text()
        assert numbers_in(shop.log()) == [0, 1, 2]

    @pytest.mark.parametrize("change, told", [
        (lambda one: {name: one[name] for name in one if name != "item_id"}, "item_id"),
        (lambda one: {**one, "timestamp": "soon"}, "timestamp"),
    ])  # fmt: skip
    def test_a_schema_that_loses_a_column_or_changes_its_type(self, shop, change, told):
        changed = pd.DataFrame([change(event(number)) for number in range(4)])
        changed.to_json(shop.events / "a.jsonl", orient="records", lines=True)
        batches = []
        follower(shop, on_batch=batches.append).run(once=True)
        assert batches[0].entry.outcome == "refused" and told in batches[0].entry.reason
        # Mended, the same events are taken in by hand.
        mended = shop.folder / "mended.jsonl"
        mended.write_bytes(lines(range(4)))
        assert update(shop.models, shop.state.folder, mended).entry.batch["accepted"] == 4

    def test_a_schema_that_gains_a_column_is_taken_in_and_told_of(self, shop):
        wider = pd.DataFrame([event(0)]).assign(colour="red")
        wider.to_json(shop.events / "a.jsonl", orient="records", lines=True)
        batches = []
        follower(shop, on_batch=batches.append).run(once=True)
        assert batches[0].entry.batch["accepted"] == 1
        assert "colour" in batches[0].entry.batch["notes"][0]

    def test_a_clock_that_runs_wrong_costs_its_own_events_only(self, shop):
        ahead = {**event(0), "timestamp": int(time.time()) + 100 * 86_400}
        frame = pd.DataFrame([*(event(number) for number in range(1, 5)), ahead])
        frame.to_json(shop.events / "a.jsonl", orient="records", lines=True)
        batches = []
        follower(shop, on_batch=batches.append).run(once=True)
        assert batches[0].entry.batch["rejected"] == {"future_timestamp": 1}
        assert numbers_in(shop.log()) == [1, 2, 3, 4]

    def test_three_in_a_row_end_the_following(self, shop):
        for number in range(4):
            (shop.events / f"{number}.parquet").write_bytes(b"no parquet")
        with pytest.raises(UserError, match=r"3 batches of the folder .* were refused"):
            follower(shop, events=1).run(once=True)
        assert sorted(position(shop)) == ["0.parquet", "1.parquet", "2.parquet"]

    def test_a_file_that_may_not_be_read_is_not_passed_over(self, shop, monkeypatch):
        def forbidden(*args, **kwargs):
            raise UserError("not allowed to read it") from PermissionError()

        monkeypatch.setattr("tfrec.updating.update.take_in", forbidden)
        (shop.events / "a.csv").write_text("x\n1\n")
        with pytest.raises(UserError, match="not allowed to read it"):
            follower(shop).run(once=True)
        assert position(shop) == {} and shop.state.ledger().entries == []


class TestOthers:
    def test_a_second_follower_refuses(self, shop):
        (shop.events / "a.jsonl").write_bytes(lines(range(1)))
        message = "another `tfrec update --follow` is at work"

        def second(updated):
            with pytest.raises(UserError, match=message):
                follower(shop).run(once=True)

        follower(shop, on_batch=second).run(once=True)

    def test_an_update_at_work_is_waited_for(self, shop, monkeypatch):
        monkeypatch.setattr("tfrec.updating.following.BUSY_SECONDS", 0.01)
        (shop.events / "a.jsonl").write_bytes(lines(range(3)))
        held, told = shop.state.locked(), []
        held.__enter__()

        def waits(reason):
            told.append(reason)
            held.__exit__(None, None, None)

        follower(shop, on_wait=waits).run(once=True)
        assert len(told) == 1 and "another update is at work" in told[0]
        assert numbers_in(shop.log()) == [0, 1, 2]


@pytest.fixture
def disk(tmp_path):
    """A file system that can be made smaller and larger, in KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> int:
        command = ["mount", *options, str(folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    if os.geteuid() != 0 or mount("-t", "tmpfs", "-o", "size=4096k", "tmpfs"):
        pytest.skip("needs the right to mount a file system")
    yield folder, lambda size: mount("-o", f"remount,size={size}k")
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("room", [8, 40, 120])
def test_a_disk_that_is_full_costs_no_event(shop, disk, room):
    """Room for the micro-batch, for the batch, for a part of the data set."""
    folder, resize = disk
    shutil.move(shop.state.folder, folder / "state")
    shop.state.folder.symlink_to(folder / "state")
    (shop.events / "a.jsonl").write_bytes(lines(range(25)))
    used = sum(path.stat().st_blocks for path in folder.rglob("*")) // 2
    assert resize(used + room) == 0
    with pytest.raises(UserError, match="no space left on the disk while writing"):
        follower(shop).run(once=True)
    assert resize(8192) == 0
    get_ready(shop.models, shop.state.folder)
    follower(shop).run(once=True)
    assert numbers_in(shop.log()) == list(range(25))
    assert not list(folder.rglob("*.part"))


class TestStop:
    def test_ends_the_waiting(self, shop):
        (shop.events / "a.jsonl").write_bytes(lines(range(3)))
        stop = Stop()
        follower(shop, stop=stop, on_read=lambda read, waiting: stop.ask()).run()
        # What was read and not taken in is read again.
        assert position(shop) == {}
        follower(shop).run(once=True)
        assert numbers_in(shop.log()) == [0, 1, 2]

    def test_breaks_off_an_update_which_goes_on_later(self, shop, monkeypatch):
        (shop.events / "a.jsonl").write_bytes(lines(range(12)))
        stop = Stop()
        write_data = "tfrec.updating.generation.Generation.write_data"
        with monkeypatch.context() as patch:
            patch.setattr(write_data, lambda generation: stop.ask())
            follower(shop, stop=stop).run(once=True)
        assert position(shop) == {}
        assert get_ready(shop.models, shop.state.folder).batch["accepted"] == 10
        assert get_ready(shop.models, shop.state.folder) is None
        follower(shop).run(once=True)
        assert numbers_in(shop.log()) == list(range(12))

    def test_is_raised_inside_an_update_only(self):
        stop = Stop()
        stop.ask()
        assert stop.asked
        with pytest.raises(Stopped), stop.breaking_off():
            stop.ask()
        stop.ask()


def test_killed_at_random_moments_no_event_is_lost_or_doubled(shop, run_python):
    """Every update is real but for the training; moments lie anywhere from the first read on."""
    (shop.events / "a.jsonl").write_bytes(lines(range(40)))
    done = run_python("-m", "tests.updating.killed_following", str(shop.folder), str(KILLS))
    assert done.returncode == 0, done.stderr
    # A fast machine may get to the end before all of them.
    assert 3 <= int(done.stdout) <= KILLS
    entries = shop.state.ledger().entries
    assert sum(entry.batch["accepted"] for entry in entries) == 40
    assert all(entry.batch["rejected"] == {} for entry in entries)
    assert numbers_in(shop.log()) == list(range(40))
    assert position(shop) == {"a.jsonl": len(lines(range(40)))}


class TestHistories:
    def keep(self, kept):
        def keeper(events):
            kept.extend((each.user_id, each.time) for each in events)
            return len(events)

        return keeper

    def feed(self, shop, keeper, **settings):
        config = shop.state.config.data.model_copy(update={"event_types": ["purchase", "return"]})
        return HistoryFeed(
            lambda: DirectorySource(shop.events), keeper, config, shop.folder, once=True, **settings
        )

    def test_events_are_handed_over_once(self, shop):
        (shop.events / "a.jsonl").write_bytes(lines(range(3)))
        kept = []
        with self.feed(shop, self.keep(kept)) as feed:
            pass
        feed.check()
        assert kept == [(event(n)["user_id"], event(n)["timestamp"]) for n in range(3)]
        assert feed.kept == 3
        with self.feed(shop, self.keep(kept)):
            pass
        assert len(kept) == 3

    def test_unusable_events_are_in_no_history(self, shop):
        rows = lines([1]) + b"no json\n" + lines([2]).replace(b"purchase", b"dance") + lines([3])
        config = shop.state.config.data.model_copy(update={"event_types": ["purchase"]})
        found = kept_events(Piece({}, 4, lines=rows), config)
        assert [each.time for each in found] == [event(1)["timestamp"], event(3)["timestamp"]]

    def test_a_store_that_is_away_is_asked_again(self, shop, monkeypatch):
        monkeypatch.setattr("tfrec.updating.history_feed.AGAIN_SECONDS", 0.01)
        (shop.events / "a.jsonl").write_bytes(lines(range(3)))
        kept, answers = [], [HistoryAwayError("locked"), HistoryAwayError("locked")]

        def keeper(events):
            if answers:
                raise answers.pop()
            return self.keep(kept)(events)

        with self.feed(shop, keeper) as feed:
            pass
        feed.check()
        assert len(kept) == 3

    def test_a_stop_ends_the_waiting_for_a_store_and_the_next_start_hands_over(self, shop):
        (shop.events / "a.jsonl").write_bytes(lines(range(3)))
        stop, kept = Stop(), []

        def keeper(events):
            if stop.asked:
                raise UserError("it goes on after the stop")
            stop.ask()
            raise HistoryAwayError("locked")

        with self.feed(shop, keeper, stopped=lambda: stop.asked) as feed:
            pass
        feed.check()
        assert feed.kept == 0
        with self.feed(shop, self.keep(kept)):
            pass
        assert len(kept) == 3

    def test_what_ends_the_thread_ends_the_following(self, shop):
        (shop.events / "a.jsonl").write_bytes(lines(range(3)))

        def keeper(events):
            raise UserError("the history file is damaged")

        with self.feed(shop, keeper) as feed:
            pass
        with pytest.raises(UserError, match="the history file is damaged"):
            follower(shop).run(once=True, check=feed.check)

    def test_the_thread_ends_with_the_block(self, shop):
        feed = self.feed(shop, self.keep([]))
        with feed:
            pass
        assert not any(each.name == "history feed" for each in threading.enumerate())
