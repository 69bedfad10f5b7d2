"""One version of one model, shared by the requests that use it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.server.session import SavedModelSession


class Servable:
    """A loaded version. It closes once it is retired and its last request has ended.

    Attributes:
        name: the model's name.
        version: the version's number.
        session: the loaded SavedModel.
    """

    def __init__(self, name: str, version: int, session: SavedModelSession) -> None:
        self.name = name
        self.version = version
        self.session = session
        self._users = 0
        self._idle = threading.Condition()

    @classmethod
    def load(
        cls, name: str, version: int, folder: Path, *, intra_op: int = 0, inter_op: int = 0
    ) -> "Servable":
        """Loads the SavedModel in `folder`.

        Raises:
            ServingError: if it cannot be loaded.
        """
        session = SavedModelSession(folder, intra_op_threads=intra_op, inter_op_threads=inter_op)
        return cls(name, version, session)

    def acquire(self) -> None:
        """Counts one more request that uses this version."""
        with self._idle:
            self._users += 1

    def release(self) -> None:
        """Counts one request less."""
        with self._idle:
            self._users -= 1
            self._idle.notify_all()

    @contextmanager
    def in_use(self) -> Iterator["Servable"]:
        """Releases at the end of the block what `acquire` counted before."""
        try:
            yield self
        finally:
            self.release()

    def close_when_idle(self) -> None:
        """Waits for the requests under way, then frees the session."""
        with self._idle:
            self._idle.wait_for(lambda: self._users == 0)
        self.session.close()
