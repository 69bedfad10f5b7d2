"""Tries what goes wrong in life, and says what became of other people's requests.

Run: ``python -m benchmarks.serving_faults --models DIR --histories FILE``

Needs as many open files as it opens connections (``ulimit -n``); the full disk needs the right to
mount a file system, and is left out without.
"""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.rude_clients import idle_connections, slow_reader
from benchmarks.serving_setup import Server, benchmark, copy_newest, numbers, served
from serving.client import RecommenderClient
from serving.errors import ClientError, DeadlineError
from serving.loadtest.loops import PreparedCall
from serving.loadtest.shoppers import Shopper, read_shoppers
from serving.process import free_port, start_server

RATE = 20.0
IDLE = 10_000
SLOW_STREAMS = 200
DEADLINE_SECONDS = 0.001


def measure(models: Path, histories: Path, *, quick: bool) -> dict[str, Any]:
    """Returns what each fault did."""
    shoppers = read_shoppers(histories)
    seconds = 4.0 if quick else 20.0
    result: dict[str, Any] = {}
    with served(models) as server:
        calls = server.calls(shoppers)
        result["before"] = _load(server, calls, seconds)
        result["deadline of 1 ms"] = {
            **_short_deadline(server, shoppers),
            **_load(server, calls, seconds),
        }
        with idle_connections(server.process.address, IDLE) as count:
            result[f"{count} idle connections"] = _load(server, calls, seconds)
        with slow_reader(server.process.address, calls[0].request, SLOW_STREAMS):
            result[f"reader of nothing, {SLOW_STREAMS} answers"] = _load(server, calls, seconds)
        result["afterwards"] = _load(server, calls, seconds)
        result["version on a full disk"] = _full_disk(server)
        if result["version on a full disk"]["made"]:
            result["version on a full disk"].update(_load(server, calls, seconds))
    result["kill -9 and restart"] = _killed(models, shoppers)
    return result


def _load(server: Server, calls: list[PreparedCall], seconds: float) -> dict[str, Any]:
    """Returns what other clients see meanwhile."""
    summary = server.at_rate(calls, RATE, seconds)
    return {
        "requests": summary.total.requests,
        "errors": summary.total.errors,
        **numbers(summary.total.latency),
        "memory_mib": round(server.memory, 1),
    }


def _short_deadline(server: Server, shoppers: list[Shopper]) -> dict[str, Any]:
    """Asks with a deadline that no answer can keep."""
    late = 0
    with RecommenderClient(server.process.address, timeout=10.0) as client:
        client.recommend(shoppers[0].history, titles=False)
        for shopper in shoppers[:200]:
            with contextlib.suppress(DeadlineError):
                client.recommend(shopper.history, titles=False, timeout=DEADLINE_SECONDS)
                continue
            late += 1
    return {"of_200_ended_by_deadline": late}


def _full_disk(server: Server) -> dict[str, Any]:
    """Copies a new version to where there is no room for it, and looks whether it is served."""
    part = server.models / "recommender" / ".2.part"
    part.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(part)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        part.rmdir()
        return {"made": False, "why": mounted.stderr.decode().strip()}
    try:
        shutil.copytree(server.models / "recommender" / "1", part, dirs_exist_ok=True)
        error = "none"
    except shutil.Error as errors:
        error = str(errors.args[0][0][2])
    # Not renamed, as an export that failed is not; the server looks at the folder meanwhile.
    time.sleep(3)
    with RecommenderClient(server.process.address) as client:
        states = [(one.version, one.state) for one in client.models(["recommender"])]
    subprocess.run(["umount", str(part)], check=True)
    part.rmdir()
    return {"made": True, "copying": error, "states": states}


def _killed(models: Path, shoppers: list[Shopper]) -> dict[str, Any]:
    """Kills the server while clients ask, starts it again, and waits for them."""
    with tempfile.TemporaryDirectory(prefix="killed-") as scratch:
        copy, port = copy_newest(models, Path(scratch) / "models"), free_port()
        with (
            start_server(copy, port=port) as first,
            RecommenderClient(first.address, timeout=60.0) as client,
        ):
            client.recommend(shoppers[0].history, titles=False)
            stop, outcomes = threading.Event(), _Outcomes()
            threads = [
                threading.Thread(target=outcomes.ask, args=(client, shoppers, stop))
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            time.sleep(1.0)
            first.process.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            first.process.wait()
            with start_server(copy, port=port):
                restarted = time.monotonic()
                answered = outcomes.wait_for_answer(restarted)
                stop.set()
                for thread in threads:
                    thread.join()
    return {
        "answers": outcomes.answers,
        "failures": outcomes.failures,
        "restart_seconds": round(restarted - killed, 2),
        "first_answer_after_restart_seconds": round(answered - restarted, 2),
        "longest_wait_that_succeeded_seconds": round(outcomes.longest, 2),
    }


class _Outcomes:
    """What clients saw who ask again and again."""

    def __init__(self) -> None:
        self.answers = 0
        self.failures: dict[str, int] = {}
        self.longest = 0.0
        self._latest = 0.0
        self._changed = threading.Condition()

    def ask(
        self, client: RecommenderClient, shoppers: list[Shopper], stop: threading.Event
    ) -> None:
        """Asks until `stop` is set."""
        for shopper in _endless(shoppers):
            if stop.is_set():
                return
            start = time.monotonic()
            try:
                client.recommend(shopper.history, titles=False)
            except ClientError as error:
                name = type(error).__name__
                with self._changed:
                    self.failures[name] = self.failures.get(name, 0) + 1
                # As a person would who presses the button again.
                stop.wait(0.5)
                continue
            with self._changed:
                self.answers += 1
                self._latest = time.monotonic()
                self.longest = max(self.longest, self._latest - start)
                self._changed.notify_all()

    def wait_for_answer(self, since: float) -> float:
        """Returns when the first answer after `since` came."""
        with self._changed:
            self._changed.wait_for(lambda: self._latest > since, 30.0)
            return self._latest


def _endless(shoppers: list[Shopper]) -> Iterator[Shopper]:
    while True:
        yield from shoppers


def table(result: dict[str, Any]) -> Table:
    """Returns the result for people."""
    table = Table(title="Faults, and other people's requests meanwhile", title_justify="left")
    for name in ("fault", "what happened", "requests", "errors", "p50 ms", "p99 ms", "MiB"):
        table.add_column(name, justify="left" if name in ("fault", "what happened") else "right")
    shown = ("requests", "errors", "p50", "p99", "memory_mib")
    usual = {*shown, "p90", "p99_9", "mean", "max"}
    for name, row in result.items():
        said = ", ".join(f"{key.replace('_', ' ')}: {row[key]}" for key in row if key not in usual)
        table.add_row(name, said, *(str(row.get(key, "")) for key in shown))
    return table


if __name__ == "__main__":
    benchmark(measure, table)()
