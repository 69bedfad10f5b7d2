"""All models of a server, each kept up to date by a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving.server.servable import Servable
from serving.server.served_model import ModelConfig, ServedModel
from serving.server.statuses import Code, ServingError

log = logging.getLogger("serving.server")


class ModelManager:
    """Finds the version that a request means.

    Attributes:
        models: the served models by name.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        load: Callable[[str, int, Path], Servable],
        *,
        poll_seconds: float = 1.0,
        max_retries: int = 5,
        retry_seconds: float = 60.0,
    ) -> None:
        self.models = {
            config.name: ServedModel(
                config, load, max_retries=max_retries, retry_seconds=retry_seconds
            )
            for config in configs
        }
        self._poll_seconds = poll_seconds
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def load_once(self) -> list[str]:
        """Looks at every model's folder once.

        Returns:
            A sentence for every model of which no version could be loaded.
        """
        for model in self.models.values():
            model.reconcile()
        return [model.trouble() for model in self.models.values() if not model.available()]

    def watch(self) -> None:
        """Starts polling; with an interval of 0 or less there is nothing to do."""
        if self._poll_seconds <= 0:
            return
        for name, model in self.models.items():
            thread = threading.Thread(target=self._poll, args=(model,), name=f"poll-{name}")
            thread.daemon = True
            thread.start()
            self._threads.append(thread)

    def close(self, timeout: float) -> bool:
        """Stops polling and unloads every model, each version after its requests under way.

        Returns:
            Whether all were unloaded within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        self._stop.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        closed = [model.close(deadline - time.monotonic()) for model in self.models.values()]
        return all(closed)

    @contextmanager
    def servable(self, model_spec: Any) -> Iterator[Servable]:
        """Yields the version that a ModelSpec names, in use until the block ends.

        Raises:
            ServingError: if there is no such version, with the official server's text.
        """
        name = model_spec.name
        if not name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        version = model_spec.version.value if model_spec.HasField("version") else None
        model = self.models.get(name)
        if model is None:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            if model_spec.version_label:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Unrecognized servable version label: {model_spec.version_label}",
                )
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
        with model.acquire(version, model_spec.version_label).in_use() as servable:
            yield servable

    def _poll(self, model: ServedModel) -> None:
        while not self._stop.wait(self._poll_seconds):
            try:
                model.reconcile()
            except Exception:
                # A defect here must not end the polling: later versions would never be served.
                log.exception("model %s: looking for new versions failed", model.config.name)
