"""Versions of a served model that come, go and are broken, as deployments make them.

Used by `benchmarks.serving_roll` and by the tests of version changes.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.model_folder import GRAPH, versions_of

NEW = "new version"
CORRUPT = "corrupt version"
HALF_COPIED = "half-copied version, finished later"
DELETED = "deleted version"
ROLL_BACK = "roll-back"
# What happens in ten changes in a row; most are plain releases, as in life.
CYCLE = (NEW, NEW, CORRUPT, NEW, HALF_COPIED, NEW, DELETED, NEW, ROLL_BACK, NEW)
# So that a test of a hundred changes keeps a few folders, as a release script does.
KEPT_VERSIONS = 4

AVAILABLE, END = 30, 50
States = Callable[[], Sequence[tuple[int, int, int]]]


@dataclass(frozen=True)
class Change:
    """A change that was made.

    Attributes:
        what: one of `CYCLE`.
        version: the version that is to answer from now on.
        at: when the files were as they should be, on the clock of ``time.perf_counter``.
        other: whether another version answered before.
    """

    what: str
    version: int
    at: float
    other: bool


class Release:
    """Makes changes to one model's folder.

    Attributes:
        serving: the version that should answer.
        whole: versions that were complete at some time; no other may ever answer.
        broken: versions that are incomplete now; only these may show an error.
    """

    def __init__(self, folder: Path, sources: Sequence[Path], failed: Callable[[int], None]):
        """Takes over a folder in which one version is served.

        Args:
            folder: the model's folder.
            sources: whole versions, of which the published ones are copies by turns.
            failed: returns once the server has tried a version in vain.
        """
        self.serving = max(versions_of(folder))
        self.whole = {self.serving}
        self.broken: set[int] = set()
        self._folder = folder
        self._sources = sources
        self._failed = failed
        self._newest = self.serving

    def source_of(self, version: int) -> Path:
        """Returns what a version is a copy of."""
        return self._sources[version % len(self._sources)]

    def changes(self, count: int) -> Iterator[Change]:
        """Makes `count` changes, each when the next is asked for."""
        steps = {
            NEW: self._publish,
            CORRUPT: self._publish_corrupt,
            HALF_COPIED: self._copy_in_two_parts,
            DELETED: self._delete_old,
            ROLL_BACK: self._roll_back,
        }
        for number in range(count):
            what, before = CYCLE[number % len(CYCLE)], self.serving
            at = steps[what]()
            yield Change(what, self.serving, at, other=self.serving != before)
            self._remove_oldest()

    def _publish(self) -> float:
        version = self._next()
        part = self._copy(version)
        self.whole.add(version)
        self.serving = version
        return self._rename(part, version)

    def _publish_corrupt(self) -> float:
        version = self._next()
        part = self._copy(version)
        graph = part / GRAPH
        # Not written through: the copy shares its files with the source.
        half = graph.read_bytes()[: graph.stat().st_size // 2]
        graph.unlink()
        graph.write_bytes(half)
        self.broken.add(version)
        at = self._rename(part, version)
        self._failed(version)
        shutil.rmtree(self._folder / str(version))
        return at

    def _copy_in_two_parts(self) -> float:
        version = self._next()
        self.broken.add(version)
        source, target = self.source_of(version), self._folder / str(version)
        # The largest files take longest to copy.
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("variables.data-*"))
        self._failed(version)
        self.whole.add(version)
        shutil.copytree(source, target, dirs_exist_ok=True)
        self.serving = version
        return time.perf_counter()

    def _delete_old(self) -> float:
        oldest = min(versions_of(self._folder))
        if oldest != self.serving:
            shutil.rmtree(self._folder / str(oldest))
        return time.perf_counter()

    def _roll_back(self) -> float:
        *_, before, newest = sorted(versions_of(self._folder))
        shutil.rmtree(self._folder / str(newest))
        self.serving = before
        return time.perf_counter()

    def _remove_oldest(self) -> None:
        for version in sorted(versions_of(self._folder))[:-KEPT_VERSIONS]:
            shutil.rmtree(self._folder / str(version))

    def _next(self) -> int:
        self._newest += 1
        return self._newest

    def _copy(self, version: int) -> Path:
        part = self._folder / f".{version}.part"
        shutil.copytree(self.source_of(version), part)
        return part

    def _rename(self, part: Path, version: int) -> float:
        at = time.perf_counter()
        part.rename(self._folder / str(version))
        return at


class StatusWatch:
    """Asks for the status list all the time, and notes whatever is wrong with it.

    Attributes:
        faults: one sentence for each thing that was wrong.
        lists: how many lists were looked at.
        latest: the newest list.
    """

    def __init__(self, states: States, release: Release, every_seconds: float) -> None:
        """Prepares the watch; `start` begins it.

        Args:
            states: asks for the list: (version, state, error code), in the server's order.
            release: says what the list may hold.
            every_seconds: pause between two lists.
        """
        self.faults: list[str] = []
        self.lists = 0
        self.latest: dict[int, int] = {}
        self._states = states
        self._release = release
        self._pause = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="status-watch")

    def __enter__(self) -> "StatusWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                listed = self._states()
            except Exception as error:
                self.faults.append(f"the list was refused: {error}")
                return
            self.look_at(listed)

    def look_at(self, listed: Sequence[tuple[int, int, int]]) -> None:
        """Notes what is wrong with a list of (version, state, error code)."""
        self.lists += 1
        versions = [version for version, _, _ in listed]
        if versions != sorted(set(versions), reverse=True):
            self.faults.append(f"versions are not in descending order: {versions}")
        if not any(state == AVAILABLE for _, state, _ in listed):
            self.faults.append(f"no version is available: {listed}")
        for version, state, error in listed:
            before = self.latest.get(version, 0)
            # From its end a version may begin again: after a roll-back, or a repair.
            if state < before and before != END:
                self.faults.append(f"version {version} went from state {before} to {state}")
            if version not in self._release.whole | self._release.broken:
                self.faults.append(f"version {version} was never there")
            elif state == AVAILABLE and version not in self._release.whole:
                self.faults.append(f"the broken version {version} is available")
            if error and version not in self._release.broken:
                self.faults.append(f"the whole version {version} has the error {error}")
        self.latest = {version: state for version, state, _ in listed}
