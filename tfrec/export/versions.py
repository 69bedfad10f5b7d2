"""Versions of exported models: numbered folders that appear whole, and all together."""

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tfrec.errors import UserError
from tfrec.files import SECONDS_UNTIL_STALE, disk_errors_as_user_errors

# The recommender last: when it appears, what it may be compared with is there.
MODELS = ("retrieval", "ranking", "recommender")

_STAGING = re.compile(r"\.export-.*\.part")


def versions_of(folder: Path) -> dict[int, Path]:
    """Returns the versions of a model by number, oldest first; only integers name versions."""
    if not folder.is_dir():
        return {}
    found = {
        int(child.name): child
        for child in folder.iterdir()
        if child.name.isascii() and child.name.isdecimal() and child.is_dir()
    }
    return dict(sorted(found.items()))


def next_version(models: Path, names: Sequence[str]) -> int:
    """Returns the UTC time as YYYYMMDDHHMMSS, or the number after the newest version if larger."""
    now = int(datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
    present = [version for name in names for version in versions_of(models / name)]
    return max([now, *(version + 1 for version in present)])


@contextlib.contextmanager
def publish(models: Path, names: Sequence[str], version: int) -> Iterator[dict[str, Path]]:
    """Yields an empty folder a model; when the block ends well, they become versions.

    They are written beside the models, where no server looks, and renamed into place when all are
    whole. If one cannot be, those before it are taken back.

    Args:
        models: the models folder; made if it does not exist.
        names: the models, in the order in which they appear.
        version: their common version.

    Raises:
        UserError: if the disk is full, the folder may not be written to, or the version exists.
    """
    with disk_errors_as_user_errors(models):
        if models.exists() and not models.is_dir():
            raise UserError(f"cannot write {models}: it is a file; choose another folder")
        models.mkdir(parents=True, exist_ok=True)
        _remove_stale(models)
        staging = Path(tempfile.mkdtemp(dir=models, prefix=".export-", suffix=".part"))
        try:
            folders = {name: staging / name for name in names}
            for folder in folders.values():
                folder.mkdir()
            yield folders
            _rename_all({folders[name]: models / name / str(version) for name in names})
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _rename_all(places: dict[Path, Path]) -> None:
    done: dict[Path, Path] = {}
    try:
        for source, target in places.items():
            target.parent.mkdir(exist_ok=True)
            if target.exists():
                raise UserError(
                    f"{target} appeared while it was being written; do not export twice at once"
                )
            source.rename(target)
            done[source] = target
    except BaseException:
        for source, target in done.items():
            target.rename(source)
        raise


def prune(models: Path, names: Sequence[str], keep: int) -> None:
    """Removes all but the newest `keep` versions of each model."""
    for name in names:
        for path in list(versions_of(models / name).values())[:-keep]:
            # Out of the servers' sight first: a folder that is half removed is no version.
            retired = path.with_name(f".{path.name}.retired")
            path.rename(retired)
            shutil.rmtree(retired, ignore_errors=True)


def _remove_stale(models: Path) -> None:
    """Removes what killed exports left; another export may be at work just now."""
    for entry in models.iterdir():
        if _STAGING.fullmatch(entry.name) and entry.is_dir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > SECONDS_UNTIL_STALE:
                    shutil.rmtree(entry, ignore_errors=True)
