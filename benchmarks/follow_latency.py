"""How soon an event of a followed source is in its shopper's history, and how many come through.

Run: ``python -m benchmarks.follow_latency``

Single events first, one every so often; then many at once. Histories are in SQLite, as the
gateway's default. The broker is Tansu, in memory, on this machine.
"""

import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from rich.table import Table

from pipelines.console import table_console
from pipelines.following import keeper
from tests.updating.kafka_brokers import broker, create_topic, send
from tfrec.config import DataConfig
from tfrec.updating.history_feed import HistoryFeed, KeptEvent
from tfrec.updating.sources import open_source

TOPIC = "events"
LONGEST_SECONDS = 300.0
SHOPPERS = 5000
Send = Callable[[Sequence[bytes]], None]


class Watch:
    """Puts events into the store, and notes when each was there."""

    def __init__(self, url: str) -> None:
        self._keep = keeper(url, None, 200)
        self._lock = threading.Lock()
        self.seen: dict[str, float] = {}

    def __call__(self, events: Sequence[KeptEvent]) -> int:
        """Keeps events."""
        kept = self._keep(events)
        now = time.monotonic()
        with self._lock:
            self.seen.update((event.item_id, now) for event in events)
        return kept

    def wait(self, count: int) -> None:
        """Waits until so many events were kept."""
        until = time.monotonic() + LONGEST_SECONDS
        while len(self.seen) < count:
            if time.monotonic() > until:
                raise SystemExit("the events do not come through")
            time.sleep(0.01)


def _line(number: int) -> bytes:
    event = {"user_id": f"u{number % SHOPPERS}", "item_id": str(number), "event": "purchase"}
    return json.dumps({**event, "timestamp": int(time.time()) - 60}).encode()


def _measure(address: str, send_lines: Send, folder: Path, single: int, many: int) -> list[str]:
    watch = Watch(f"sqlite:///{folder / 'history.db'}")
    config = DataConfig(event_types=["purchase"])
    waits = []
    with HistoryFeed(lambda: open_source(address), watch, config, folder) as feed:
        for number in range(single):
            # Not in step with the reader's own rhythm.
            time.sleep(0.7 + 0.13 * (number % 5))
            sent = time.monotonic()
            send_lines([_line(number)])
            watch.wait(number + 1)
            waits.append(watch.seen[str(number)] - sent)
        lines = [_line(number) for number in range(single, single + many)]
        started = time.monotonic()
        send_lines(lines)
        watch.wait(single + many)
        seconds = time.monotonic() - started
        feed.check()
    low, high = np.quantile(waits[1:], [0.5, 0.95])
    return [f"{low:.2f}", f"{high:.2f}", f"{max(waits[1:]):.2f}", f"{many / seconds:,.0f}"]


@contextlib.contextmanager
def _sources(folder: Path) -> Iterator[dict[str, tuple[str, Send]]]:
    events = folder / "events"
    events.mkdir()

    def append(lines: Sequence[bytes]) -> None:
        with (events / "a.jsonl").open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    program = folder / "broker"
    program.mkdir()
    with broker(program) as address:
        create_topic(address, TOPIC, 1)
        yield {
            "folder": (str(events), append),
            "topic": (f"kafka://{address}/{TOPIC}", lambda lines: send(address, TOPIC, lines)),
        }


@click.command()
@click.option("--single", type=click.IntRange(min=3), default=40, show_default=True)
@click.option("--many", type=click.IntRange(min=1), default=20_000, show_default=True)
def command(single: int, many: int) -> None:
    """Measure how soon events are in the histories."""
    table = Table("source", title=f"{single} events one by one, {many:,} at once")
    for name in ("seconds, median", "95 %", "longest", "events a second"):
        table.add_column(name, justify="right")
    folder = Path(tempfile.mkdtemp(prefix="tfrec-"))
    try:
        with _sources(folder) as sources:
            for name, (address, send_lines) in sources.items():
                home = folder / name
                home.mkdir()
                table.add_row(name, *_measure(address, send_lines, home, single, many))
    finally:
        shutil.rmtree(folder)
    table_console().print(table)


if __name__ == "__main__":
    command()
