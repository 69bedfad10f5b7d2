"""A batch of a followed source that cannot be used: put aside whole, entered, and passed over."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from tfrec.data.readers import resolve
from tfrec.files import atomic_folder
from tfrec.updating.batch_record import BatchRecord
from tfrec.updating.sources.source import Origin
from tfrec.updating.state import Entry, UpdateState

REASON = "reason.txt"


def refuse(
    home: UpdateState,
    models: Path,
    events: str | Path,
    content: str,
    origin: Origin,
    reason: str,
) -> Entry:
    """Keeps the files of a batch with the reason, and enters it in the ledger as refused.

    The source is read on behind it: it would be refused again for ever. Once what was wrong is
    mended, `tfrec update --events` takes the files in.

    Args:
        home: the state folder, locked.
        models: the models folder.
        events: path or glob of the events.
        content: what the batch is known by.
        origin: the part of the source that it is.
        reason: why, in one sentence.

    Raises:
        UserError: if the files are no longer there.
    """
    ledger = home.ledger()
    number = len(ledger.entries) + 1
    with atomic_folder(home.refused(number)) as temporary:
        paths = resolve(events, "events")
        for path in paths:
            shutil.copyfile(path, temporary / path.name)
        (temporary / REASON).write_text(reason + "\n", encoding="utf-8")
    record = BatchRecord(
        content=content,
        events=[path.name for path in paths],
        items=[],
        rows_in=0,
        accepted=0,
        rejected={},
        late=0,
        first=None,
        last=None,
        items_in=0,
        items_rejected={},
        items_new=0,
        items_changed=0,
        notes=[f"the files are kept in {home.refused(number)}"],
        source=origin.to_json(),
    )
    entry = Entry(
        generation=number,
        batch=record.to_json(),
        outcome="refused",
        reason=reason,
        version=None,
        parent_version=home.champion(ledger, models)[0],
        verdict=None,
        seconds={},
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    home.write(ledger.followed_by(entry, {origin.source: origin.after}))
    return entry
