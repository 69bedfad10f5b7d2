"""Kills updates in every step, fills their disk, and says what became of them.

Run: ``python -m benchmarks.update_faults --out DIR --kills 50``

A small shop is made in DIR first (the one of the tests). The full disk needs the right to mount a
file system, and is left out without. Every process is forked from this one, which has imported
everything and done nothing, so that the moments lie in the work and not in Python's start.
"""

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from pipelines.console import table_console
from tests.updating.small_shop import Shop, make_shop
from tfrec.config import load_stored_config
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import read_json, write_json
from tfrec.updating.comparing import figures_of_verdicts
from tfrec.updating.gate import Verdict
from tfrec.updating.state import UpdateState

STEPS = ("batch", "data", "retrieval", "ranking", "train and judge", "publish", "ledger")
SEED = 11
LONGEST_SECONDS = 1800.0
SHARES_OF_DISK = (0.03, 0.1, 0.4, 0.8)
"""Of the room that an update takes."""
ENDED, MISTAKE, DEFECT = 0, 2, 1


@dataclass(frozen=True)
class Kill:
    """A process that was killed.

    Attributes:
        round: the update that it was part of; each begins anew.
        step: the one that was at work.
        seconds: since that step began.
    """

    round: int
    step: str
    seconds: float


class Child:
    """A process that updates a shop, and says which steps it has ended."""

    def __init__(self, shop: Shop, log: Path) -> None:
        self._reading, writing = os.pipe()
        self.done: list[str] = []
        self._rest = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reading)
            os._exit(_update(shop, writing, log))
        os.close(writing)

    def wait(self, step: str | None = None, *, seconds: float = LONGEST_SECONDS) -> bool:
        """Waits for the end of a step or of the process; returns whether it is still at work."""
        until = time.monotonic() + seconds
        while step not in self.done and (left := until - time.monotonic()) > 0:
            if select.select([self._reading], [], [], left)[0]:
                content = os.read(self._reading, 1 << 16)
                if not content:
                    return False
                *lines, self._rest = (self._rest + content).split(b"\n")
                self.done += [line.decode() for line in lines]
        return True

    def kill(self) -> bool:
        """Kills the process; returns False if it had ended by itself."""
        os.kill(self.pid, signal.SIGKILL)
        return os.WIFSIGNALED(self.end())

    def end(self) -> int:
        """Waits for the end; returns the status."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self._reading)
        return status


def _update(shop: Shop, writing: int, log: Path) -> int:
    """What a forked process does; returns its exit code."""
    with log.open("w") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
        try:
            shop.update(on_step=lambda name: os.write(writing, f"{name}\n".encode()))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)
            return MISTAKE
        except BaseException:
            traceback.print_exc()
            return DEFECT
    return ENDED


def _in_child(action: Callable[[], Any]) -> None:
    """Does something in a process of its own, so that this one stays as it was imported."""
    child = os.fork()
    if child == 0:
        status = DEFECT
        try:
            action()
            status = ENDED
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the small shop could not be made")


def _opened(folder: Path) -> Shop:
    return Shop(folder, load_stored_config(folder / "run" / "retrieval" / "config.yaml"))


def _whole(shop: Shop, out: Path) -> dict[str, float]:
    """Updates without a fault; returns the seconds of each step."""
    noted = out / "seconds.json"
    if noted.is_file():
        return dict(read_json(noted))
    shutil.rmtree(out / "whole", ignore_errors=True)
    child = Child(shop.copy(out / "whole"), out / "whole.log")
    seconds, started = {}, time.monotonic()
    for step in STEPS:
        child.wait(step)
        seconds[step] = time.monotonic() - started
        started = time.monotonic()
    if child.end():
        raise SystemExit(f"the update without a fault failed; see {out / 'whole.log'}")
    write_json(noted, seconds)
    return seconds


def _round(
    number: int, shop: Shop, out: Path, seconds: dict[str, float], moments: random.Random
) -> Iterator[Kill]:
    """Kills one update once in every step, and then lets it end."""
    copy = shop.copy(out / f"round{number}")
    log = out / f"round{number}.log"
    for place, step in enumerate(STEPS):
        child = Child(copy, log)
        before = STEPS[place - 1] if place else None
        # Once the batch is there, nothing tells of it any more.
        is_there = (UpdateState(copy.state).generation(1) / "batch").is_dir()
        begun = before is None or (before == "batch" and is_there) or child.wait(before)
        wait = moments.uniform(0.0, seconds[step])
        started = time.monotonic()
        if begun:
            child.wait(step, seconds=wait)
        moment = time.monotonic() - started
        if child.kill():
            yield Kill(number, step, moment)
    child = Child(copy, log)
    child.wait()
    if child.end():
        raise SystemExit(f"the update did not end; see {log}")


def _compared(copy: Shop, whole: Shop) -> dict[str, Any]:
    """Says in what an update that was killed differs from one that was not."""
    entries, expected = UpdateState(copy.state).ledger().entries, UpdateState(whole.state).ledger()
    entry, other = entries[0], expected.entries[0]
    assert entry.verdict is not None and other.verdict is not None
    verdict, recorded = Verdict.of_json(entry.verdict), Verdict.of_json(other.verdict)
    figures = figures_of_verdicts(recorded, verdict)
    data, same = (
        PreparedDataset.open(UpdateState(each.state).generation(1) / "data", verify=True).checksum
        for each in (copy, whole)
    )
    return {
        "entries": len(entries),
        "outcome": entry.outcome,
        "same batch": entry.batch == other.batch,
        "same data": data == same,
        "new versions": [len(versions_of(copy.models / name)) - 1 for name in MODELS],
        "leftovers": len(list(copy.folder.rglob("*.part"))),
        "ndcg": recorded.checks[0].challenger,
        "ndcg again": verdict.checks[0].challenger,
        "noise": figures[0].noise,
        "differs": [figure.name for figure in figures if not figure.is_same],
    }


def _full_disk(share: float, shop: Shop, out: Path, size: int) -> dict[str, Any] | None:
    """Updates on a disk that is too small, makes it larger, and updates again."""
    folder = out / "disk"
    folder.mkdir(exist_ok=True)
    # The shop as it is before fits in any case.
    mount = ["mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        return None
    try:
        copy = shop.copy(folder / "shop")
        used = _size(folder)
        options = f"size={(used + int(share * size)) // 1024}k"
        remount = ["mount", "-o", f"remount,{options}", str(folder)]
        subprocess.run(remount, check=True)
        log, second = out / f"disk{share:.0%}.log", out / f"disk{share:.0%}-again.log"
        child = Child(copy, log)
        child.wait()
        code = os.waitstatus_to_exitcode(child.end())
        done, told = (
            child.done,
            [line for line in log.read_text().splitlines() if line.startswith("error: ")],
        )
        subprocess.run(["mount", "-o", "remount,size=4g", str(folder)], check=True)
        again = Child(copy, second)
        again.wait()
        ended = os.waitstatus_to_exitcode(again.end())
        return {
            "share": share,
            "step": next((step for step in STEPS if step not in done), "none"),
            "exit code": code,
            "sentence": told[-1].removeprefix("error: ") if told else "",
            "afterwards": ended,
            **(_compared(copy, _opened(out / "whole")) if not ended else {}),
        }
    finally:
        # Lazily: whoever has a file open in it keeps it until then.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Working folder.")
@click.option("--kills", type=int, default=50, show_default=True)
@click.option("--disks/--no-disks", default=True, show_default=True, help="Try full disks.")
def command(out: Path, kills: int, disks: bool) -> None:
    """Kill updates in every step, and fill their disk."""
    out.mkdir(parents=True, exist_ok=True)
    folder = out / "shop"
    if not (folder / "models").is_dir():
        folder.mkdir(exist_ok=True)
        _in_child(lambda: make_shop(folder))
    shop = _opened(folder)
    seconds = _whole(shop, out)
    whole = _opened(out / "whole")
    noted = out / "faults.json"
    content = read_json(noted) if noted.is_file() else {"kills": [], "rounds": [], "disks": []}
    while len(content["kills"]) < kills:
        number = len(content["rounds"]) + 1
        shutil.rmtree(out / f"round{number}", ignore_errors=True)
        moments = random.Random(SEED + number)
        killed = [asdict(kill) for kill in _round(number, shop, out, seconds, moments)]
        content["kills"] += killed
        content["rounds"].append(_compared(_opened(out / f"round{number}"), whole))
        write_json(noted, content)
    size = _size(out / "whole") - _size(folder / "models")
    for share in SHARES_OF_DISK[len(content["disks"]) :] if disks else ():
        outcome = _full_disk(share, shop, out, size)
        if outcome is None:
            click.echo("No file system can be mounted; the full disk is left out.")
            break
        content["disks"].append(outcome)
        write_json(noted, content)
    _print(content, seconds)


def _print(content: dict[str, Any], seconds: dict[str, float]) -> None:
    console = table_console()
    table = Table("step", title=f"{len(content['kills'])} processes killed", title_justify="left")
    for name in ("seconds of it", "kills", "earliest", "latest"):
        table.add_column(name, justify="right")
    for step in STEPS:
        moments = [kill["seconds"] for kill in content["kills"] if kill["step"] == step]
        ends = (f"{min(moments):.2f}", f"{max(moments):.2f}") if moments else ("", "")
        table.add_row(step, f"{seconds[step]:.2f}", str(len(moments)), *ends)
    console.print(table)
    table = Table("update", title="What became of them", title_justify="left")
    names = ("outcome", "same batch", "same data", "new versions", "leftovers", "ndcg again")
    for name in (*names, "differs"):
        table.add_column(name, justify="right")
    for number, each in enumerate(content["rounds"], start=1):
        figures = [_cell(each[name]) for name in names]
        table.add_row(str(number), *figures, ", ".join(each["differs"]) or "nothing")
    console.print(table)
    first = content["rounds"][0]
    console.print(f"Not killed: {first['ndcg']:.4f}, noise {first['noise']:.4f}")
    if content["disks"]:
        table = Table("share of the room", title="Disks that fill", title_justify="left")
        names = ("step", "exit code", "sentence", "afterwards", "outcome", "same data")
        for name in (*names, "differs"):
            table.add_column(name)
        for each in content["disks"]:
            figures = [_cell(each.get(name, "")) for name in names]
            differs = ", ".join(each.get("differs", [])) or "nothing"
            table.add_row(f"{each['share']:.0%}", *figures, differs)
        console.print(table)


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    command()
