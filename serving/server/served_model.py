"""One model's versions: which should be loaded, which are, and who answers a request."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from serving.model_folder import versions_of
from serving.server.model_configs import ModelConfig
from serving.server.servable import Servable
from serving.server.states import State, StatusBoard
from serving.server.statuses import Code, ServingError

log = logging.getLogger("serving.server")


@dataclass
class _Failure:
    """A version whose load failed: why, how often, and when to try again (None: never)."""

    error: ServingError
    tries: int
    retry_at: float | None


class ServedModel:
    """Keeps one model's loaded versions in step with its folder.

    `reconcile` is called by one thread; everything else by any.

    Attributes:
        config: what should be served; None for nothing any more.
        statuses: what became of every version.
    """

    def __init__(
        self,
        config: ModelConfig,
        load: Callable[[str, int, Path], Servable],
        *,
        max_retries: int = 5,
        retry_seconds: float = 60.0,
    ) -> None:
        self.config: ModelConfig | None = config
        self.statuses = StatusBoard()
        self._name = config.name
        self._load = load
        self._max_retries = max_retries
        self._retry_seconds = retry_seconds
        self._servables: dict[int, Servable] = {}
        self._failures: dict[int, _Failure] = {}
        self._lock = threading.Lock()
        self._closing: list[threading.Thread] = []
        self._complaint = ""

    def acquire(self, version: int | None = None) -> Servable | None:
        """Returns a loaded version, by default the newest, counted as in use.

        The caller releases it. None if it is not loaded.
        """
        with self._lock:
            if version is None:
                version = max(self._servables, default=None)
            servable = self._servables.get(version) if version is not None else None
            if servable is not None:
                servable.acquire()
            return servable

    def available(self) -> list[int]:
        """Returns the versions that answer requests, newest first."""
        with self._lock:
            return sorted(self._servables, reverse=True)

    def has_given_up(self) -> bool:
        """Says whether nothing answers, and no load will be tried again by itself."""
        failures = list(self._failures.values())
        return bool(failures) and not any(one.retry_at for one in failures) and not self.available()

    def trouble(self) -> str:
        """Returns a sentence that says why no version answers."""
        assert self.config is not None
        name, folder = self._name, self.config.base_path
        if not self._failures:
            return f"there is no version of model {name} in {folder} to load"
        version, failure = max(self._failures.items())
        reason = " ".join(str(failure.error).split())
        return (
            f"version {version} of model {name} cannot be loaded ({reason}); copy or export it "
            f"again, or remove its folder in {folder}"
        )

    def reconcile(self) -> None:
        """Looks at the folder once: loads what should be there, then unloads what should not."""
        config = self.config
        folders = self._folders(config.base_path) if config else {}
        if folders is None:
            return
        wanted = config.policy.choose(set(folders)) if config else []
        for version in [version for version in self._failures if version not in wanted]:
            del self._failures[version]
            status = self.statuses.get(version)
            if status is not None and status.state != State.END:
                self.statuses.post(version, State.END, status.code, status.text)
        for version in wanted:
            if version not in self._servables and self._may_try(version):
                self._try_to_load(version, folders[version])
        stale = [version for version in self.available() if version not in wanted]
        # Nothing is unloaded before something that replaces it answers.
        if stale and (not wanted or any(version in self._servables for version in wanted)):
            for version in stale:
                self._retire(version)

    def close(self, timeout: float) -> bool:
        """Unloads every version, each after its requests under way.

        Returns:
            Whether all were unloaded within `timeout` seconds.
        """
        for version in self.available():
            self._retire(version)
        deadline = time.monotonic() + timeout
        for thread in self._closing:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._closing)

    def _folders(self, base_path: Path) -> dict[int, Path] | None:
        """Returns the version folders, or None where there is no answer, so nothing changes."""
        try:
            folders = versions_of(base_path)
        except OSError as error:
            self._complain(
                f"cannot look into {base_path} ({error.strerror}); loaded versions keep serving"
            )
            return None
        if not folders:
            self._complain(f"there is no version in {base_path}")
        elif self._complaint:
            self._complaint = ""
        return folders

    def _complain(self, what: str) -> None:
        # Polling asks every second; one line a trouble is enough.
        if what != self._complaint:
            self._complaint = what
            log.warning("model %s: %s", self._name, what)

    def _may_try(self, version: int) -> bool:
        failure = self._failures.get(version)
        if failure is None:
            return True
        return failure.retry_at is not None and time.monotonic() >= failure.retry_at

    def _try_to_load(self, version: int, folder: Path) -> None:
        name = self._name
        if version not in self._failures:
            self.statuses.post(version, State.START)
        self.statuses.post(version, State.LOADING)
        started = time.monotonic()
        try:
            servable = self._load(name, version, folder)
        except ServingError as error:
            self._note_failure(version, error)
            return
        except OSError as error:
            self._note_failure(version, ServingError(Code.INTERNAL, str(error)))
            return
        self._failures.pop(version, None)
        with self._lock:
            self._servables[version] = servable
        self.statuses.post(version, State.AVAILABLE)
        log.info(
            "model %s: version %d is available (loaded in %.1f s)",
            name,
            version,
            time.monotonic() - started,
        )

    def _note_failure(self, version: int, error: ServingError) -> None:
        tries = self._failures[version].tries + 1 if version in self._failures else 1
        again = tries <= self._max_retries
        retry_at = time.monotonic() + self._retry_seconds if again else None
        self._failures[version] = _Failure(error, tries, retry_at)
        if not again:
            self.statuses.post(version, State.END, error.code, error.text)
        serving = self.available()
        log.error(
            "model %s: version %d cannot be loaded (%s); %s; %s",
            self._name,
            version,
            " ".join(str(error).split()),
            f"version {serving[0]} keeps serving" if serving else "nothing is served",
            f"trying again in {self._retry_seconds:.0f} s" if again else "giving up",
        )

    def _retire(self, version: int) -> None:
        with self._lock:
            servable = self._servables.pop(version)
        self.statuses.post(version, State.UNLOADING)

        def finish() -> None:
            servable.close_when_idle()
            self.statuses.post(version, State.END)
            log.info("model %s: version %d is unloaded", self._name, version)

        thread = threading.Thread(target=finish, name=f"unload-{self._name}-{version}")
        thread.daemon = True
        thread.start()
        self._closing = [*(one for one in self._closing if one.is_alive()), thread]
