"""Takes the newest version back, so that the one before it is served again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfrec.errors import UserError
from tfrec.export.versions import MODELS, versions_of
from tfrec.files import disk_errors_as_user_errors

WITHDRAWN = ".{}.withdrawn"
"""Name of a withdrawn version's folder."""


@dataclass(frozen=True)
class RolledBack:
    """What a roll-back did.

    Attributes:
        withdrawn: the versions that are no longer served, newest first.
        served: the newest one now.
    """

    withdrawn: list[int]
    served: int


def roll_back(models: str | Path, *, to: int | None = None) -> RolledBack:
    """Withdraws the newest version of all models, or all that are newer than a given one.

    The folders are renamed, so that no server sees them and nothing is lost: naming
    ``.<version>.withdrawn`` back brings a version back. If it is stopped half-way, the same call
    with `to` does the rest.

    Args:
        models: the models folder.
        to: the version to go back to; None for the one before the newest.

    Raises:
        UserError: if there is no such version, or none to go back to.
    """
    models = Path(models)
    # A version counts if all models have it; what is left of a broken roll-back does not.
    found = {name: versions_of(models / name) for name in MODELS}
    whole = sorted(set.intersection(*(set(versions) for versions in found.values())))
    every = sorted(set().union(*found.values()), reverse=True)
    if not every:
        raise UserError(f"there is no version in {models}; name the folder that is served")
    if to is None:
        earlier = [version for version in whole if version < every[0]]
        if not earlier:
            raise UserError(
                f"{every[0]} is the only version in {models}, so there is none to go back to"
            )
        to = earlier[-1]
    if to not in whole:
        told = ", ".join(str(version) for version in whole)
        raise UserError(f"there is no version {to} of all models in {models}; there are {told}")
    withdrawn = [version for version in every if version > to]
    if not withdrawn:
        raise UserError(f"{to} is the newest version in {models} already; nothing changed")
    with disk_errors_as_user_errors(models):
        for version in withdrawn:
            # The recommender first: it goes while what it is compared with is still there.
            for name in reversed(MODELS):
                path = models / name / str(version)
                if path.is_dir():
                    path.rename(path.with_name(WITHDRAWN.format(version)))
    return RolledBack(withdrawn, to)


class RollBackOnce:
    """Rolls back for an alarm, but not beyond a version that was gone back to.

    Several rules may be raised by one bad version, one after the other, or one of them twice if the
    monitor is started again; only the first takes it back. If the version before is no better, a
    human has to look.

    Args:
        models: the models folder.
    """

    def __init__(self, models: Path) -> None:
        self._models = models

    def __call__(self) -> str:
        """Rolls back, and says what was done.

        Raises:
            UserError: if there is nothing to go back to.
        """
        newest = max(versions_of(self._models / MODELS[0]), default=None)
        if newest is not None and any(one > newest for one in self._withdrawn()):
            return f"version {newest} was gone back to before and stays"
        done = roll_back(self._models)
        return f"version {done.withdrawn[0]} is withdrawn; {done.served} is served again"

    def _withdrawn(self) -> Iterator[int]:
        for path in (self._models / MODELS[0]).glob(WITHDRAWN.format("*")):
            number = path.name.split(".")[1]
            if number.isdecimal():
                yield int(number)
