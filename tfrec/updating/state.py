"""The folder that the updates of a shop live in: ledger, lock, and a folder a generation."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tfrec.config import ExperimentConfig, dump_config, load_stored_config
from tfrec.errors import UserError
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import atomic_file, disk_errors_as_user_errors, only_one, read_json, write_json
from tfrec.updating.sources.source import Position

LEDGER, CONFIG, LOCK, GENERATIONS = "ledger.json", "config.yaml", ".lock", "generations"
REFUSED = "refused"
SERVED = "served"
"""Of a generation: the run as it was published."""
FORMAT = 1
Ending = Literal["published", "kept", "nothing new", "refused"]


@dataclass(frozen=True)
class Entry:
    """One update in the ledger.

    Attributes:
        generation: its number, from 1.
        batch: the batch's record.
        outcome: what came of it.
        reason: why, in one sentence.
        version: of the models that were published, or None.
        parent_version: of the models that it set out from.
        verdict: the gate's figures, or None where nothing was judged.
        seconds: wall time by step.
        finished: UTC time.
        code: tfrec's version and the checksum of its sources; empty in older ledgers.
    """

    generation: int
    batch: dict[str, Any]
    outcome: Ending
    reason: str
    version: int | None
    parent_version: int
    verdict: dict[str, Any] | None
    seconds: dict[str, float]
    finished: str
    code: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """What was done so far; written in one piece at the end of every update.

    Attributes:
        run: folder of the run that the first version came from.
        data: its data set.
        version: that first version.
        entries: the updates, oldest first.
        positions: how far each source is read that `tfrec update --follow` reads, by its name.
    """

    run: str
    data: str
    version: int
    entries: list[Entry] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)

    def entry_of(self, content: str) -> Entry | None:
        """Returns the update that took in a batch of this content, if there was one."""
        return next((each for each in self.entries if each.batch["content"] == content), None)

    def followed_by(self, entry: Entry, positions: dict[str, Position]) -> "Ledger":
        """Returns the ledger with one more update, and how far sources are read with it.

        Both are in one file, so that no event is taken in twice and none is left out.
        """
        return replace(
            self, entries=[*self.entries, entry], positions={**self.positions, **positions}
        )

    def entry_of_version(self, version: int) -> Entry | None:
        """Returns the update that published a version."""
        return next((each for each in self.entries if each.version == version), None)


def save_config(config: ExperimentConfig, path: Path) -> None:
    """Writes a configuration, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(dump_config(config), encoding="utf-8")


class UpdateState:
    """A state folder.

    ::

        ledger.json       what was done; the one file that says so
        config.yaml       the experiment that updates train with
        generations/      00001/: config.yaml, batch/, data/, sample/, run/, verdict.json, served/
        refused/          00007/: a followed source's batch that could not be used

    A generation's folder holds what its steps have made so far, each whole or not at all, so that
    an update that was killed goes on with the first step whose outcome is missing.

    Args:
        folder: the state folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other updates out.

        Raises:
            UserError: if another one is at work.
        """
        busy = (
            f"another update is at work in {self.folder}; wait for it to end, then give the "
            "command again"
        )
        with disk_errors_as_user_errors(self.folder), only_one(self.folder / LOCK, busy):
            yield

    @property
    def begun(self) -> bool:
        """Whether there is a ledger."""
        return (self.folder / LEDGER).is_file()

    def begin(self, run: Path, data: Path, version: int, config: ExperimentConfig) -> None:
        """Writes the first ledger."""
        save_config(config, self.folder / CONFIG)
        self.write(Ledger(str(run.resolve()), str(data.resolve()), version))

    def ledger(self) -> Ledger:
        """Reads the ledger.

        Raises:
            UserError: if there is none, or it is damaged.
        """
        if not self.begun:
            raise UserError(
                f"there is no ledger in {self.folder}; the first `tfrec update` with --run makes it"
            )
        content = read_json(self.folder / LEDGER)
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise UserError(
                f"{self.folder / LEDGER} is not a ledger of this version of tfrec; name another "
                "--state, with --run"
            )
        entries = [Entry(**each) for each in content.pop("entries")]
        return Ledger(**content, entries=entries)

    def position(self, source: str) -> Position:
        """Returns how far a followed source is read; empty where it never was."""
        return self.ledger().positions.get(source, {})

    def write(self, ledger: Ledger) -> None:
        """Writes the ledger in one piece."""
        write_json(self.folder / LEDGER, {"format": FORMAT, **asdict(ledger)})

    @property
    def config(self) -> ExperimentConfig:
        """The experiment, as it was given with the first update."""
        return load_stored_config(self.folder / CONFIG)

    def generation(self, number: int) -> Path:
        """Returns the folder of a generation."""
        return self.folder / GENERATIONS / f"{number:05d}"

    def refused(self, number: int) -> Path:
        """Returns where the files of a batch lie that was refused."""
        return self.folder / REFUSED / f"{number:05d}"

    def newest_data(self, ledger: Ledger) -> Path:
        """Returns the data set with everything that was taken in so far."""
        for entry in reversed(ledger.entries):
            path = self.generation(entry.generation) / "data"
            if entry.outcome != "nothing new" and path.is_dir():
                return path
        return Path(ledger.data)

    def champion(self, ledger: Ledger, models: Path) -> tuple[int, Path, Path]:
        """Returns version, run and data set of the models that are served now.

        That is the newest version in the models folder which a run is known of; after a roll-back
        it is an earlier one.

        Raises:
            UserError: if there is none.
        """
        for version in sorted(versions_of(models / MODELS[0]), reverse=True):
            entry = ledger.entry_of_version(version)
            if entry is not None:
                folder = self.generation(entry.generation)
                return version, folder / SERVED, folder / "data"
            if version == ledger.version:
                return version, Path(ledger.run), Path(ledger.data)
        raise UserError(
            f"no version in {models} is one that {self.folder} knows (the first is "
            f"{ledger.version}); put it back, or begin a new --state with --run"
        )

    def prune(self, ledger: Ledger, keep: int, *, needed: list[Path]) -> None:
        """Removes the folders of generations that nothing is built from any more.

        Args:
            ledger: says which there are.
            keep: how many published versions can be built again; what these were trained on from
                stays, too.
            needed: folders inside generations that stay in any case.
        """
        published = [entry for entry in ledger.entries if entry.version is not None][-keep:]
        parents = [ledger.entry_of_version(entry.parent_version) for entry in published]
        entries = [*published, *ledger.entries[-1:], *(each for each in parents if each)]
        kept = {self.generation(entry.generation) for entry in entries}
        kept |= {path.parent for path in needed}
        root = self.folder / GENERATIONS
        for path in sorted(root.iterdir()) if root.is_dir() else []:
            if path not in kept and path.name.isdecimal():
                shutil.rmtree(path, ignore_errors=True)
