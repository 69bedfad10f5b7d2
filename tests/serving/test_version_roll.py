"""Versions come, go and are broken while clients ask: no request may notice."""

import shutil
import threading

import pytest
import tensorflow as tf

from benchmarks.rolling import FLAGS, roll
from benchmarks.version_roll import (
    AVAILABLE,
    CORRUPT,
    CYCLE,
    DELETED,
    END,
    HALF_COPIED,
    NEW,
    ROLL_BACK,
    Release,
    StatusWatch,
)
from serving.client.connection import Settings
from serving.loadtest.loops import closed_loop
from serving.loadtest.shoppers import Shopper
from serving.loadtest.target import Target
from serving.process import start_server
from tests.serving import tiny_models
from tests.serving.conftest import Stubs

CHANGES = 12
LOADING, UNLOADING = 20, 40
# One version of the tiny model takes far less; a hundred MiB would be a leak of every one.
FLAT_MEBIBYTES = 100.0


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Three versions that answer differently: with scores around 1000, 2000 and 3000."""
    folder = tmp_path_factory.mktemp("sources")
    for number in range(3):
        tiny_models.save_retrieval(folder / str(number), offset=1000.0 * (number + 1))
    return [folder / str(number) for number in range(3)]


@pytest.fixture
def folder(tmp_path, sources):
    shutil.copytree(sources[1], tmp_path / "models" / "retrieval" / "1")
    return tmp_path / "models" / "retrieval"


def test_no_request_fails_while_versions_come_go_and_are_broken(folder, sources):
    wrong, checked, stop_checking = [], [], threading.Event()

    def check_answers(stubs):
        """The answer is that of the version which claims it."""
        while not stop_checking.is_set():
            response = stubs.predict("retrieval", "similar", item_id=["A1"])
            version = response.model_spec.version.value
            score = tf.make_ndarray(response.outputs["score"])[0, 0]
            checked.append(version)
            if score != 1000.0 * (version % 3 + 1) - 1:
                wrong.append((version, score))

    flags = (*FLAGS, "--file_system_poll_wait_seconds=0.1")
    with (
        start_server(folder.parent, flags=flags) as server,
        Stubs(server.address) as stubs,
        Target(Settings(server.address, retries=0)) as target,
    ):
        shoppers = [Shopper(("A1",)), Shopper(("B2", "C1")), Shopper(())]
        calls = target.prepare(shoppers, {"similar": 0.5, "search": 0.5}, count=50)
        checker = threading.Thread(target=check_answers, args=(stubs,))
        checker.start()
        try:
            seen = roll(
                server,
                folder,
                sources,
                lambda stop, observe: closed_loop(
                    target.send, calls, 300.0, clients=4, stop=stop, observe=observe
                ),
                changes=CHANGES,
                calm_seconds=1.0,
                rest_seconds=0.2,
            )
        finally:
            stop_checking.set()
            checker.join()
    assert seen.faults == []
    assert [change.what for change in seen.made] == [*CYCLE, *CYCLE][:CHANGES]
    # Every change that should bring another version has brought it.
    assert len(seen.seconds) == CHANGES - 2
    samples = seen.before + seen.during
    assert {sample.code for sample in samples} == {"OK"}
    assert {sample.version for sample in samples} == {1, *(one.version for one in seen.made)}
    assert not wrong
    assert len(set(checked)) > CHANGES / 2
    assert seen.lists > CHANGES
    assert seen.memory[-1] - seen.memory[1] < FLAT_MEBIBYTES, seen.memory


class TestRelease:
    """The changes are what they claim to be, so that the test above tests something."""

    def states_after(self, folder, sources, count):
        tried = []
        release = Release(folder, sources, tried.append)
        made = list(release.changes(count))
        return release, made, tried, sorted(int(path.name) for path in folder.iterdir())

    def test_plain_releases(self, folder, sources):
        release, made, tried, left = self.states_after(folder, sources, 2)
        assert [(one.what, one.version, one.other) for one in made] == [
            (NEW, 2, True),
            (NEW, 3, True),
        ]
        assert (release.whole, release.serving, tried, left) == ({1, 2, 3}, 3, [], [1, 2, 3])

    def test_a_corrupt_version_is_tried_and_goes_again(self, folder, sources):
        release, made, tried, left = self.states_after(folder, sources, 3)
        assert (made[-1].what, made[-1].version, made[-1].other) == (CORRUPT, 3, False)
        assert (release.broken, tried, left) == ({4}, [4], [1, 2, 3])

    def test_a_half_copied_version_is_tried_before_it_is_whole(self, folder, sources):
        release, made, tried, _ = self.states_after(folder, sources, 5)
        assert (made[-1].what, made[-1].version, made[-1].other) == (HALF_COPIED, 6, True)
        assert tried == [4, 6]
        assert 6 in release.whole
        copied = {path.relative_to(folder / "6") for path in (folder / "6").rglob("*")}
        assert copied == {path.relative_to(sources[0]) for path in sources[0].rglob("*")}

    def test_a_deletion_takes_the_oldest_and_a_roll_back_the_newest(self, folder, sources):
        release, made, _, left = self.states_after(folder, sources, 9)
        assert [(one.what, one.version, one.other) for one in made[6:]] == [
            (DELETED, 7, False),
            (NEW, 8, True),
            (ROLL_BACK, 7, True),
        ]
        assert release.serving == 7 == max(left)


class TestStatusWatch:
    """What it would have complained about."""

    @pytest.fixture
    def watch(self, folder, sources):
        release = Release(folder, sources, lambda _: None)
        release.whole, release.broken = {1, 2, 3}, {4}
        return StatusWatch(list, release, every_seconds=1.0)

    def faults(self, watch, *lists):
        for listed in lists:
            watch.look_at(listed)
        return watch.faults

    def test_a_roll_and_a_roll_back_are_right(self, watch):
        lists = [
            [(1, AVAILABLE, 0)],
            [(2, LOADING, 0), (1, AVAILABLE, 0)],
            [(2, AVAILABLE, 0), (1, AVAILABLE, 0)],
            [(2, AVAILABLE, 0), (1, UNLOADING, 0)],
            [(4, LOADING, 0), (2, AVAILABLE, 0), (1, END, 0)],
            [(4, END, 13), (2, AVAILABLE, 0), (1, LOADING, 0)],
        ]
        assert self.faults(watch, *lists) == []
        assert watch.lists == len(lists)

    @pytest.mark.parametrize(
        ("lists", "fault"),
        [
            ([[(1, AVAILABLE, 0), (2, AVAILABLE, 0)]], "not in descending order"),
            ([[(1, AVAILABLE, 0), (1, END, 0)]], "not in descending order"),
            ([[(2, LOADING, 0), (1, UNLOADING, 0)]], "no version is available"),
            ([[]], "no version is available"),
            ([[(1, AVAILABLE, 0)], [(2, AVAILABLE, 0), (1, LOADING, 0)]], "from state 30 to 20"),
            ([[(9, LOADING, 0), (1, AVAILABLE, 0)]], "version 9 was never there"),
            ([[(4, AVAILABLE, 0)]], "the broken version 4 is available"),
            ([[(2, LOADING, 13), (1, AVAILABLE, 0)]], "the whole version 2 has the error 13"),
        ],
    )
    def test_what_is_wrong_is_noted(self, watch, lists, fault):
        (noted,) = self.faults(watch, *lists)
        assert fault in noted

    def test_a_refused_list_is_a_fault(self, folder, sources):
        def refuse():
            raise ConnectionError("no answer")

        with StatusWatch(refuse, Release(folder, sources, lambda _: None), 0.001) as watch:
            watch._thread.join()
        assert watch.faults == ["the list was refused: no answer"]
