"""One version of one model, shared by the requests that use it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from serving.server.arrays import Array
from serving.server.runner import DirectRunner, Runner
from serving.server.session import SavedModelSession


class Servable:
    """A loaded version. It closes once it is retired and its last request has ended.

    Attributes:
        name: the model's name.
        version: the version's number.
        session: the loaded SavedModel.
        checks_method_names: whether a signature serves only the call that its method names.
    """

    def __init__(
        self,
        name: str,
        version: int,
        session: SavedModelSession,
        *,
        runner: Runner | None = None,
        observe_run: Callable[[str, str, float], None] = lambda name, call, seconds: None,
        checks_method_names: bool = False,
    ) -> None:
        """Takes over the session.

        Args:
            name: the model's name.
            version: the version's number.
            session: the loaded SavedModel.
            runner: runs the requests; by default each by itself.
            observe_run: told the model's name, the call and the seconds of each run.
            checks_method_names: whether a signature serves only the call that its method names.
        """
        self.name = name
        self.version = version
        self.session = session
        self.checks_method_names = checks_method_names
        self._runner = runner or DirectRunner(session)
        self._observe_run = observe_run
        self._users = 0
        self._idle = threading.Condition()

    @property
    def signatures(self) -> dict[str, Any]:
        """Its SignatureDefs by name."""
        return self.session.signatures

    def run(
        self,
        call: str,
        signature: Any,
        inputs: Mapping[str, Any],
        fetches: Sequence[str],
        timeout_ms: int | None,
    ) -> list[Array]:
        """Runs a request for the named call; the rest as of `DirectRunner.run`.

        Raises:
            ServingError: with TensorFlow's own code and text.
        """
        started = time.perf_counter()
        values = self._runner.run(signature, inputs, fetches, timeout_ms)
        self._observe_run(self.name, call, time.perf_counter() - started)
        return values

    def acquire(self) -> None:
        """Counts one more request that uses this version."""
        with self._idle:
            self._users += 1

    def release(self) -> None:
        """Counts one request less."""
        with self._idle:
            self._users -= 1
            if not self._users:
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
