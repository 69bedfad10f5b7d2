"""A continual update from beginning to end: every step once, whatever was killed in between."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.files import is_disk_full, read_json, write_json
from tfrec.updating.batch import take_in
from tfrec.updating.batch_record import BatchRecord, content_of, position_of
from tfrec.updating.beginning import begin, check_settings, settings_of
from tfrec.updating.generation import Generation
from tfrec.updating.identity import code_identity
from tfrec.updating.log import log_of
from tfrec.updating.refusing import refuse
from tfrec.updating.sources.source import Origin
from tfrec.updating.state import CONFIG, Ending, Entry, UpdateState, save_config

STEPS_FILE, PLAN = "steps.json", "plan.json"


@dataclass(frozen=True)
class Updated:
    """What an update did.

    Attributes:
        entry: its line in the ledger.
        repeated: whether the batch was taken in before, so that nothing was done now.
        finished_before: an update that had been broken off and was finished first, or None.
    """

    entry: Entry
    repeated: bool
    finished_before: Entry | None = None


def update(
    models: str | Path,
    state: str | Path,
    events: str | Path,
    items: str | Path | None = None,
    *,
    run: str | Path | None = None,
    data: str | Path | None = None,
    config: ExperimentConfig | None = None,
    origin: Origin | None = None,
    on_step: Callable[[str], None] = lambda name: None,
) -> Updated:
    """Takes in a batch, trains on from the served models, and publishes them if they hold.

    An update that was broken off goes on where it was when the same command is given again; with
    another batch it is finished first. The same batch twice changes nothing.

    Args:
        models: the models folder.
        state: the state folder of the updates.
        events: path or glob of new events.
        items: the same of new and changed products, or None.
        run: the run that the newest version comes from; needed for the first update only.
        data: its data set, where it has moved.
        config: its sections `data`, `update`, `display`, `surfaces`, `evaluation` and `export`, as
            far as it names them, take the place of those of the first update.
        origin: the part of a followed source that the events are. Its position is entered in the
            ledger with the batch; a batch of it that cannot be used is entered as refused.
        on_step: told the name of every step when it is done.

    Raises:
        UserError: if the batch, the models or the state cannot be used, or another update is at
            work.
    """
    models, home = Path(models), UpdateState(state)
    content = _content(events, items, origin)
    with home.locked():
        if not home.begun:
            begin(home, models, run, data, config)
        settings = settings_of(home.config, config)
        finished = None
        if _is_taken_in(home):
            finished = _finish(home, models, settings, on_step)
            if finished.batch["content"] == content:
                return Updated(finished, repeated=False)
        ledger = home.ledger()
        known = ledger.entry_of(content)
        if known is not None:
            return Updated(known, repeated=True, finished_before=finished)
        dataset = PreparedDataset.open(home.newest_data(ledger))
        check_settings(dataset, settings)
        folder = home.generation(len(ledger.entries) + 1)
        try:
            take_in(
                events,
                items,
                folder / "batch",
                dataset,
                log_of(dataset),
                settings,
                content=content,
                origin=origin,
            )
        except UserError as error:
            if origin is None or _lies_outside(error):
                raise
            refused = refuse(home, models, events, content, origin, str(error))
            return Updated(refused, repeated=False, finished_before=finished)
        on_step("batch")
        return Updated(_finish(home, models, settings, on_step), False, finished)


def get_ready(
    models: str | Path,
    state: str | Path,
    *,
    run: str | Path | None = None,
    data: str | Path | None = None,
    config: ExperimentConfig | None = None,
    on_step: Callable[[str], None] = lambda name: None,
) -> Entry | None:
    """Does what has to be done before a batch: begins the ledger, or ends a broken update.

    Args:
        models: as for `update`, and so all others.
        state: the state folder.
        run: the run.
        data: its data set.
        config: the configuration.
        on_step: told of steps.

    Returns:
        What came of an update that had been broken off, or None.

    Raises:
        UserError: as `update`.
    """
    models, home = Path(models), UpdateState(state)
    with home.locked():
        if not home.begun:
            begin(home, models, run, data, config)
        settings = settings_of(home.config, config)
        return _finish(home, models, settings, on_step) if _is_taken_in(home) else None


def _content(events: str | Path, items: str | Path | None, origin: Origin | None) -> str:
    """Returns what a batch is known by: equal events further on in a source are another batch."""
    content = content_of(events, items)
    if origin is None:
        return content
    part = json.dumps(origin.to_json(), sort_keys=True)
    return hashlib.sha256(f"{content} {part}".encode()).hexdigest()


def _lies_outside(error: UserError) -> bool:
    """Whether a batch could not be read for a reason that is not its own."""
    cause = error.__cause__
    return isinstance(cause, PermissionError | FileNotFoundError) or (
        isinstance(cause, Exception) and is_disk_full(cause)
    )


def _is_taken_in(home: UpdateState) -> bool:
    folder = home.generation(len(home.ledger().entries) + 1)
    return (folder / "batch").is_dir()


def _finish(
    home: UpdateState,
    models: Path,
    config: ExperimentConfig,
    on_step: Callable[[str], None],
) -> Entry:
    """Goes through the steps left of the newest generation, and enters it in the ledger."""
    ledger = home.ledger()
    number = len(ledger.entries) + 1
    folder = home.generation(number)
    record = BatchRecord.open(folder / "batch")
    version, run, run_data = home.champion(ledger, models)
    _start_anew_from_other_champion(folder, version)
    save_config(config, folder / CONFIG)

    def step(name: str, action: Callable[[], Any]) -> Any:
        started = time.monotonic()
        outcome = action()
        taken = read_json(folder / STEPS_FILE) if (folder / STEPS_FILE).is_file() else {}
        seconds = taken.get(name, 0.0) + time.monotonic() - started
        write_json(folder / STEPS_FILE, {**taken, name: round(seconds, 3)})
        on_step(name)
        return outcome

    outcome: Ending = "nothing new"
    reason = f"the batch holds nothing new ({_counts(record)})"
    published, verdict = None, None
    if record.changes_something:
        generation = Generation(
            folder=folder,
            number=number,
            parent_data=home.newest_data(ledger),
            champion_version=version,
            champion_run=run,
            champion_data=run_data,
            cache=home.folder / "text_vectors",
            config=config,
        )
        try:
            step("data", generation.write_data)
        except UserError as error:
            # Such as a clock far ahead that leaves no validation days. A batch that stayed would
            # be finished first by every later update, and fail each of them.
            if not _lies_outside(error):
                shutil.rmtree(folder)
            raise
        verdict = step("train and judge", lambda: generation.verdict(on_step))
        outcome, reason = "kept", verdict.reason
        if verdict.passed:
            published = step("publish", lambda: generation.publish(models))
            outcome = "published"
    entry = Entry(
        generation=number,
        batch=record.to_json(),
        outcome=outcome,
        reason=reason,
        version=published,
        parent_version=version,
        verdict=None if verdict is None else verdict.to_json(),
        seconds=read_json(folder / STEPS_FILE) if (folder / STEPS_FILE).is_file() else {},
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        code=code_identity(),
    )
    ledger = ledger.followed_by(entry, position_of(folder / "batch"))
    home.write(ledger)
    on_step("ledger")
    needed = [home.newest_data(ledger), home.champion(ledger, models)[1]]
    home.prune(ledger, config.update.keep_generations, needed=needed)
    return entry


def _start_anew_from_other_champion(folder: Path, version: int) -> None:
    """Removes what was trained from other models than those served now (after a roll-back)."""
    plan = {"parent_version": version}
    path = folder / PLAN
    if path.is_file() and read_json(path) != plan:
        Generation.forget_training(folder)
    write_json(path, plan)


def _counts(record: BatchRecord) -> str:
    told = ", ".join(f"{name} {count}" for name, count in record.rejected.items())
    return f"{record.rows_in} rows: {told}" if told else f"{record.rows_in} rows"
