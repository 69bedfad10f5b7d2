"""A version roll under load: what clients saw, what the status list said, what memory did.

Used by `benchmarks.serving_roll` and by the tests of version changes.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.version_roll import Change, Release, States, StatusWatch
from serving.client.calls import status
from serving.client.connection import Connection, Settings
from serving.loadtest.loops import Observe
from serving.loadtest.summary import OK, Sample
from serving.process import ServerProcess

# What a server needs so that a broken version is tried again soon, and not after a minute.
FLAGS = ("--max_num_load_retries=100", "--load_retry_interval_micros=200000")
PATIENCE_SECONDS = 30.0
STATUS_SECONDS = 0.02
MEBIBYTE = 1 << 20

Load = Callable[[threading.Event, Observe], list[Sample]]


@dataclass
class Roll:
    """What was seen.

    Attributes:
        before: requests due before the first change.
        during: requests due after it.
        seconds: from each change that another version answers, until its first answer.
        made: the changes.
        memory: of the server in MiB, before the first change and after each.
        faults: what was wrong, one sentence each.
        lists: how many status lists were looked at.
    """

    before: list[Sample] = field(default_factory=list)
    during: list[Sample] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    made: list[Change] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lists: int = 0


class Switches:
    """Notes when another version began to answer."""

    def __init__(self) -> None:
        self._moments: list[tuple[int, float]] = []
        self._latest = 0
        self._changed = threading.Condition()

    def observe(self, sample: Sample) -> None:
        """Takes note of an answer; to be called when it arrives."""
        now = time.perf_counter()
        with self._changed:
            if sample.code == OK and sample.version != self._latest:
                self._latest = sample.version
                self._moments.append((sample.version, now))
                self._changed.notify_all()

    def wait_for(self, version: int, since: float) -> float | None:
        """Returns how long after `since` the version answered first; None if it did not."""

        def found() -> float | None:
            moments = (at for which, at in self._moments if which == version and at >= since)
            return next(moments, None)

        with self._changed:
            at = self._changed.wait_for(found, PATIENCE_SECONDS)
        return at - since if at else None


def roll(
    server: ServerProcess,
    folder: Path,
    sources: Sequence[Path],
    load: Load,
    *,
    changes: int,
    calm_seconds: float,
    rest_seconds: float,
) -> Roll:
    """Changes the versions of one model while clients ask it.

    Args:
        server: started with `FLAGS` on a models folder that holds `folder`.
        folder: the model's folder, with one version.
        sources: whole versions to publish copies of.
        load: asks until the event is set, and reports every sample.
        changes: how many to make.
        calm_seconds: load before the first change.
        rest_seconds: load between two changes.
    """
    result, switches, stop = Roll(), Switches(), threading.Event()
    release = Release(folder, sources, lambda version: _wait_for_failure(server, version))
    process = psutil.Process(server.process.pid)
    connection = Connection(Settings(server.address, retries=0))
    watch = StatusWatch(_states(connection, folder.name), release, STATUS_SECONDS)
    with ThreadPoolExecutor(1) as pool, watch:
        start = time.perf_counter()
        asking = pool.submit(load, stop, switches.observe)
        try:
            stop.wait(calm_seconds)
            first = time.perf_counter() - start
            result.memory.append(process.memory_info().rss / MEBIBYTE)
            for change in release.changes(changes):
                result.made.append(change)
                if change.other:
                    seconds = switches.wait_for(change.version, change.at)
                    if seconds is None:
                        result.faults.append(f"version {change.version} did not answer in time")
                        break
                    result.seconds.append(seconds)
                stop.wait(rest_seconds)
                result.memory.append(process.memory_info().rss / MEBIBYTE)
        finally:
            stop.set()
        samples = asking.result()
    connection.close()
    result.before = [sample for sample in samples if sample.due < first]
    result.during = [sample for sample in samples if sample.due >= first]
    strangers = {sample.version for sample in samples if sample.code == OK} - release.whole
    result.faults += [f"version {version} answered, and is not whole" for version in strangers]
    result.faults += watch.faults
    result.lists = watch.lists
    return result


def _states(connection: Connection, model: str) -> States:
    def ask() -> list[tuple[int, int, int]]:
        listed = connection.run(status(model, time.monotonic() + PATIENCE_SECONDS))
        return [(one.version, one.state, one.status.error_code) for one in listed]

    return ask


def _wait_for_failure(server: ServerProcess, version: int) -> None:
    """Returns once the server has said that it cannot load the version.

    Raises:
        TimeoutError: if it does not.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while f"version {version} cannot be loaded" not in server.log():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server did not try version {version}")
        time.sleep(0.05)
