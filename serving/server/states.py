"""What became of every version: the list that GetModelStatus answers from."""

import threading
from dataclasses import dataclass
from enum import IntEnum

from serving.server.statuses import Code


class State(IntEnum):
    """ModelVersionStatus.State."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """The state of one version, and why if it failed."""

    version: int
    state: State
    code: Code = Code.OK
    text: str = ""


class StatusBoard:
    """The latest status of every version of one model, unloaded ones included."""

    def __init__(self) -> None:
        self._versions: dict[int, VersionStatus] = {}
        self._lock = threading.Lock()

    def post(self, version: int, state: State, code: Code = Code.OK, text: str = "") -> None:
        """Records the new state of a version."""
        with self._lock:
            self._versions[version] = VersionStatus(version, state, code, text)

    def all(self) -> list[VersionStatus]:
        """Returns every version's status, newest version first."""
        with self._lock:
            return [self._versions[version] for version in sorted(self._versions, reverse=True)]

    def get(self, version: int) -> VersionStatus | None:
        """Returns one version's status, or None if it was never seen."""
        with self._lock:
            return self._versions.get(version)
