"""Runs the steps of a long job, skipping those that are done: `make`, for folders and settings.

A step is done when its fingerprint (name, values, content of its input files, tfrec's version) is
the one saved after it last succeeded, and every file that it had written is still there in the
same size. The record of a step is written after the step, in one piece: a job that was killed
anywhere continues with the step that it was in. What the step had cost until then is noted while
it works, and counted.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import tfrec
from pipelines.attempt import Attempt
from tfrec.errors import UserError
from tfrec.files import is_disk_full, only_one, read_json, sha256_of_file, write_json


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a job.

    Attributes:
        name: what the user reads; unique in the job.
        action: does the work; called without arguments.
        inputs: everything the outcome depends on, by name: a `Path` stands for the content of the
            file or folder; other values are pydantic models, plain JSON, or lists of these.
        outputs: files or folders that the action leaves behind.
        had_finished: asked when the same work was begun before and broken off: whether the action
            had got to its end all the same, so that only the record is missing.
    """

    name: str
    action: Callable[[], object]
    inputs: Mapping[str, Any]
    outputs: Sequence[Path]
    had_finished: Callable[[], bool] = lambda: False


@dataclasses.dataclass(frozen=True)
class StepReport:
    """What a step cost, in this run or in the one that it is reused from.

    Attributes:
        name: the step.
        seconds: wall time of the action.
        peak_memory: bytes of resident memory at the peak, child processes included.
        reused: whether the step was skipped in this run.
        continued: whether an earlier run of it was broken off; its figures include that one.
    """

    name: str
    seconds: float
    peak_memory: int
    reused: bool
    continued: bool = False


class StepRunner:
    """Runs steps in order, with a line each, and remembers what they cost.

    Use it as a context manager: while it is open, no other runner can work in `state`.

    Args:
        state: folder for the records of finished steps.
        total: number of steps of the job.
        console: where the lines go; by default stdout.
    """

    def __init__(self, state: str | Path, total: int, console: Console | None = None) -> None:
        self._state = Path(state)
        self._total = total
        self._console = console or Console(highlight=False)
        self._lock = contextlib.ExitStack()
        self.reports: list[StepReport] = []

    def __enter__(self) -> "StepRunner":
        self._lock.enter_context(_only_one(self._state))
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def run(self, step: Step) -> StepReport:
        """Runs `step`, or skips it when it is done.

        Raises:
            FileNotFoundError: if an input does not exist, or the action left out an output.
        """
        number = f"\\[{len(self.reports) + 1}/{self._total}] {escape(step.name)}"
        record_path = self._state / f"{_slug(step.name)}.json"
        fingerprint = _fingerprint(step)
        report = _done(record_path, fingerprint, step)
        if report:
            self._console.print(f"{number}: [dim]reused, nothing changed[/dim]")
        else:
            report = self._run(step, number, record_path, fingerprint)
        self.reports.append(report)
        return report

    def _run(self, step: Step, number: str, record_path: Path, fingerprint: str) -> StepReport:
        attempt = Attempt(record_path.with_suffix(".unfinished"), fingerprint)
        note = " [dim](continued after a stop)[/dim]" if attempt.continued else ""
        self._console.print(f"[bold]{number}[/bold]{note} …")
        # From here on the old outcome is being replaced, so its record must not outlive it.
        record_path.unlink(missing_ok=True)
        with attempt:
            if not (attempt.continued and step.had_finished()):
                step.action()
            sizes = _sizes(step.outputs)
        report = StepReport(
            step.name, attempt.seconds, attempt.peak_memory, False, attempt.continued
        )
        write_json(
            record_path,
            {
                "step": step.name,
                "fingerprint": fingerprint,
                "seconds": report.seconds,
                "peak_memory": report.peak_memory,
                "outputs": sizes,
            },
        )
        attempt.forget()
        cost = f"{format_seconds(report.seconds)}, {format_bytes(report.peak_memory)}"
        self._console.print(f"{number}: [green]done[/green] in {cost}")
        return report

    def table(self) -> Table:
        """Returns wall time and peak memory of every step, those reused included."""
        table = Table(title="Wall time and peak memory of every step")
        table.add_column("step")
        table.add_column("wall time", justify="right")
        table.add_column("peak memory", justify="right")
        table.add_column("this run")
        for report in self.reports:
            table.add_row(
                report.name,
                format_seconds(report.seconds),
                format_bytes(report.peak_memory),
                "reused" if report.reused else "continued" if report.continued else "ran",
            )
        table.add_section()
        table.add_row(
            "all",
            format_seconds(sum(report.seconds for report in self.reports)),
            format_bytes(max((report.peak_memory for report in self.reports), default=0)),
            f"{sum(not report.reused for report in self.reports)} of {len(self.reports)} ran",
        )
        return table


def format_seconds(seconds: float) -> str:
    """Returns a duration for people: ``"8.3 s"``, ``"2 min 05 s"``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def format_bytes(size: float) -> str:
    """Returns a size for people: ``"356 MiB"``, ``"1.9 GiB"``."""
    mebibytes = size / 2**20
    return f"{mebibytes:.0f} MiB" if mebibytes < 1000 else f"{mebibytes / 1024:.1f} GiB"


def _done(record_path: Path, fingerprint: str, step: Step) -> StepReport | None:
    """Returns the report of the step's last success if it still holds."""
    if not record_path.exists():
        return None
    try:
        record = read_json(record_path)
    except UserError:
        return None
    # Files may have been added since (a cache that grew), but none lost or cut short.
    unchanged = record["fingerprint"] == fingerprint and all(
        Path(path).is_file() and Path(path).stat().st_size == size
        for path, size in record["outputs"].items()
    )
    if not unchanged:
        return None
    return StepReport(step.name, record["seconds"], record["peak_memory"], True)


def _fingerprint(step: Step) -> str:
    facts = {name: _value(value) for name, value in step.inputs.items()}
    outputs = [str(Path(output).absolute()) for output in step.outputs]
    whole = {"tfrec": tfrec.__version__, "step": step.name, "inputs": facts, "outputs": outputs}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def _value(value: Any) -> Any:
    if isinstance(value, Path):
        if not value.exists():
            raise FileNotFoundError(f"the step's input {value} does not exist")
        return {
            str(path.relative_to(value)): sha256_of_file(path) for path in _files_below([value])
        }
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_value(element) for element in value]
    return value


def _sizes(paths: Sequence[Path]) -> dict[str, int]:
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"the step left no {path}")
    return {str(path.absolute()): path.stat().st_size for path in _files_below(paths)}


def _files_below(paths: Sequence[Path]) -> list[Path]:
    """Returns the files, in order; hidden ones below a folder are somebody's unfinished work."""
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            found.append(path)
        found += sorted(
            file
            for file in path.rglob("*")
            if file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
    return found


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system lets go of however the process ends."""
    job = folder.parent
    busy = f"another run is working in {job}; wait for it to end, or name another --workdir"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(only_one(folder / ".lock", busy))
        except OSError as error:
            if is_disk_full(error):
                raise
            raise UserError(
                f"cannot work in {job} ({error.strerror}); choose another --workdir"
            ) from error
        yield
