"""All models of a server, each kept up to date by a thread of its own."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serving.server.model_configs import ModelConfig, check_labels
from serving.server.servable import Servable
from serving.server.served_model import ServedModel
from serving.server.statuses import Code, ServingError

log = logging.getLogger("serving.server")
READY_CHECK_SECONDS = 0.02
GLANCE_SECONDS = 0.1
"""How often the time of a folder is looked at between two looks into it."""
LOADING_NICENESS = 10


class ModelManager:
    """Finds the version that a request means.

    Attributes:
        models: the served models by name, those that were served before included.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        load: Callable[[str, int, Path], Servable],
        *,
        poll_seconds: float = 1.0,
        max_retries: int = 5,
        retry_seconds: float = 60.0,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        """Prepares the models, without loading any yet.

        Args:
            configs: what to serve.
            load: loads one version.
            poll_seconds: how often to look for new versions; 0 or less for once.
            max_retries: how often a failed load is tried again.
            retry_seconds: how long to wait before.
            allow_labels_for_unavailable: whether a new label may name a version that is not loaded.

        Raises:
            ServingError: FAILED_PRECONDITION for a label that may not be.
        """
        self._load = load
        self._retries: dict[str, Any] = {"max_retries": max_retries, "retry_seconds": retry_seconds}
        self._allow_labels = allow_labels_for_unavailable
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._watchers: dict[str, _Watcher] = {}
        self._watching = False
        self._labels: dict[str, dict[str, int]] = {}
        self.models: dict[str, ServedModel] = {}
        self._configure(tuple(configs))

    def load_once(self) -> list[str]:
        """Looks at every model's folder once.

        Returns:
            A sentence for every model of which no version could be loaded.
        """
        for model in self.models.values():
            model.reconcile()
        return [model.trouble() for model in self.models.values() if not model.available()]

    def watch(self) -> None:
        """Starts to look for new versions."""
        with self._lock:
            self._watching = True
            self._start_watchers()

    def reload(
        self, configs: tuple[ModelConfig, ...], is_wanted: Callable[[], bool] = lambda: True
    ) -> bool:
        """Serves `configs` and nothing else from now on; returns when new models answer.

        Args:
            configs: the whole new configuration.
            is_wanted: asked now and then whether to go on waiting.

        Returns:
            Whether the new models answer; False if nobody waits any more.

        Raises:
            ServingError: FAILED_PRECONDITION for a label that may not be, and nothing changes;
                UNKNOWN if a new model cannot be loaded.
        """
        with self._lock:
            new, turns = self._configure(configs)
        while is_wanted() and not self._stop.is_set():
            done = all(turn.is_set() for turn in turns)
            missing = [name for name in new if not self.models[name].available()]
            if done and not missing:
                return True
            failed = [name for name in missing if self.models[name].has_given_up()]
            if failed:
                raise ServingError(
                    Code.UNKNOWN,
                    f"Some models did not become available: {{{', '.join(failed)}}}",
                )
            time.sleep(READY_CHECK_SECONDS)
        return False

    def version_of(self, model_spec: Any) -> int | None:
        """Returns the version that a ModelSpec names by number or label, or None.

        Raises:
            ServingError: INVALID_ARGUMENT for an unknown label.
        """
        if model_spec.HasField("version_label"):
            label = model_spec.version_label
            versions = self._labels.get(model_spec.name, {})
            if label not in versions:
                raise ServingError(
                    Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
                )
            return versions[label]
        return model_spec.version.value if model_spec.HasField("version") else None

    @contextmanager
    def servable(self, model_spec: Any) -> Iterator[Servable]:
        """Yields the version that a ModelSpec names, in use until the block ends.

        Raises:
            ServingError: if there is no such version, with the official server's text.
        """
        name = model_spec.name
        if not name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        version = self.version_of(model_spec)
        model = self.models.get(name)
        servable = model.acquire(version) if model else None
        if servable is None:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
        with servable.in_use():
            yield servable

    def close(self, timeout: float) -> bool:
        """Stops looking and unloads every model, each version after its requests under way.

        Returns:
            Whether all were unloaded within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        self._stop.set()
        for watcher in self._watchers.values():
            watcher.stop(max(0.0, deadline - time.monotonic()))
        closed = [model.close(deadline - time.monotonic()) for model in self.models.values()]
        return all(closed)

    def _configure(
        self, configs: tuple[ModelConfig, ...]
    ) -> tuple[list[str], list[threading.Event]]:
        """Takes over a configuration.

        Returns:
            Names of the models that are new, and events that tell when each one's folder was seen.
        """
        available = {name: model.available() for name, model in self.models.items()}
        check_labels(configs, available, self._labels, self._allow_labels)
        self._labels = {config.name: dict(config.labels) for config in configs}
        served = {name for name, model in self.models.items() if model.config}
        wanted = {config.name: config for config in configs}
        models = dict(self.models)
        for name, config in wanted.items():
            if name in models:
                models[name].config = config
            else:
                models[name] = ServedModel(config, self._load, **self._retries)
        for name in served - set(wanted):
            models[name].config = None
        # Replaced as a whole: requests look it up without a lock.
        self.models = models
        if self._watching:
            self._start_watchers()
        turns = [self._watchers[name].look() for name in models if name in self._watchers]
        return sorted(set(wanted) - served), turns

    def _start_watchers(self) -> None:
        for name, model in self.models.items():
            if name not in self._watchers:
                self._watchers[name] = _Watcher(name, model, self._poll_seconds)


class _Watcher:
    """Looks after one model in a thread of its own, now and then and when asked to.

    A version that is renamed into place changes the time of the model's folder, which costs next to
    nothing to look at: where the file system tells, nobody waits for the next look.
    """

    def __init__(self, name: str, model: ServedModel, poll_seconds: float) -> None:
        self._model = model
        self._poll_seconds = poll_seconds if poll_seconds > 0 else None
        self._changed = threading.Condition()
        self._asked: list[threading.Event] = []
        self._stopped = False
        self._seen: int | None = None
        self._thread = threading.Thread(target=self._watch, name=f"poll-{name}", daemon=True)
        self._thread.start()

    def look(self) -> threading.Event:
        """Asks for a look at once; the event is set after it."""
        looked = threading.Event()
        with self._changed:
            self._asked.append(looked)
            self._changed.notify()
        return looked

    def stop(self, timeout: float) -> None:
        """Ends the thread, after the look under way."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(timeout)

    def _watch(self) -> None:
        _yield_to_requests()
        while True:
            with self._changed:
                self._wait()
                if self._stopped:
                    return
                asked, self._asked = self._asked, []
            # Before the look: what changes during it is seen by the next one.
            self._seen = self._folder_time()
            try:
                self._model.reconcile()
            except Exception:
                # A defect here must not end the polling: later versions would never be served.
                log.exception("looking for new versions failed")
            for looked in asked:
                looked.set()

    def _wait(self) -> None:
        """Waits until it is time to look, the folder has changed, or somebody asks."""
        started = time.monotonic()
        while not self._asked and not self._stopped:
            if self._poll_seconds is None:
                self._changed.wait()
                continue
            left = started + self._poll_seconds - time.monotonic()
            if left <= 0 or self._folder_time() != self._seen:
                return
            self._changed.wait(min(left, GLANCE_SECONDS))

    def _folder_time(self) -> int | None:
        config = self._model.config
        try:
            return None if config is None else config.base_path.stat().st_mtime_ns
        except OSError:
            return None


def _yield_to_requests() -> None:
    """Has this thread load versions with what requests leave of the processor."""
    # A thread's own niceness is a thing of Linux; elsewhere it would be the whole process's.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOADING_NICENESS)
