"""Reads the model config file again now and then."""

import logging
import threading
from pathlib import Path

from serving.server.config_files import FlagError, read_model_config
from serving.server.manager import ModelManager
from serving.server.statuses import ServingError

log = logging.getLogger("serving.server")


class ConfigWatcher:
    """Applies changes of a model config file, in a thread of its own."""

    def __init__(self, path: Path, manager: ModelManager, poll_seconds: float) -> None:
        self._path = path
        self._manager = manager
        self._poll_seconds = poll_seconds
        self._applied = _content(path)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-config", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._poll_seconds):
            content = _content(self._path)
            if content == self._applied:
                continue
            self._applied = content
            try:
                answer = self._manager.reload(read_model_config(self._path), self._is_wanted)
            except (FlagError, ServingError) as error:
                log.error("the model config file is not applied: %s", error)
            else:
                if answer:
                    log.info("the model config file %s is applied", self._path)

    def _is_wanted(self) -> bool:
        # A model with a mistyped path never answers; the corrected file would not be read.
        return not self._stopped.is_set() and _content(self._path) == self._applied


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
