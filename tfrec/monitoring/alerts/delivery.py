"""Ways by which alerts reach people: the log, a file of JSON Lines, a webhook."""

import contextlib
import json
import logging
import logging.handlers
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tfrec.files import disk_errors_as_user_errors
from tfrec.monitoring.alerts.book import Alert
from tfrec.monitoring.live.config import WebhookConfig
from tfrec.monitoring.live.fetching import post_json

MEGABYTE = 1 << 20
log = logging.getLogger(__name__)
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.CRITICAL}


class Sink(Protocol):
    """Takes alerts; never raises, never waits."""

    def send(self, alert: Alert) -> None:
        """Passes an alert on."""

    def close(self) -> None:
        """Ends the delivery."""


class LogSink:
    """Writes alerts to the log of the process."""

    def send(self, alert: Alert) -> None:
        """Logs an alert at the level of its severity."""
        log.log(_LEVELS[alert.severity], alert.message)

    def close(self) -> None:
        """Does nothing."""


class FileSink:
    """Appends alerts to a file of JSON Lines, of which a few megabytes are kept.

    Args:
        path: the file; its folder is made.

    Raises:
        UserError: if it may not be written.
    """

    def __init__(self, path: Path) -> None:
        with disk_errors_as_user_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handler = logging.handlers.RotatingFileHandler(
                path, maxBytes=4 * MEGABYTE, backupCount=3, encoding="utf-8"
            )
        # An error (such as a full disk) is logged, not printed with its stack.
        self._handler.handleError = lambda record: log.error(  # type: ignore[method-assign]
            "cannot write the alert to %s: %s", path, record.getMessage()
        )

    def send(self, alert: Alert) -> None:
        """Writes one line."""
        text = json.dumps(alert.to_json(), ensure_ascii=False)
        # Without arguments, a record's text is taken as it is, per cent signs and all.
        self._handler.emit(logging.LogRecord("alert", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Closes the file."""
        self._handler.close()


class WebhookSink:
    """Posts alerts from a thread of its own; what cannot be delivered is dropped and logged.

    Args:
        config: address, time-out and retries.
        post: posts a body to an address within a time-out, and returns what went wrong or "".
        sleep: waits between tries.
    """

    WAITING = 1000
    FIRST_WAIT_SECONDS = 1.0

    def __init__(
        self,
        config: WebhookConfig,
        *,
        post: Callable[[str, Any, float], str] = post_json,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._post = post
        self._sleep = sleep
        self._waiting: queue.Queue[Alert | None] = queue.Queue(self.WAITING)
        self._thread = threading.Thread(target=self._deliver, name="alerts", daemon=True)
        self._thread.start()

    def send(self, alert: Alert) -> None:
        """Puts an alert in the queue."""
        try:
            self._waiting.put_nowait(alert)
        except queue.Full:
            log.error("the webhook does not keep up; dropped: %s", alert.message)

    def close(self, seconds: float = 5.0) -> None:
        """Waits a little for what is in the queue, and gives up the rest."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=seconds)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            log.error("%d alerts did not reach the webhook in time", self._waiting.qsize())

    def _deliver(self) -> None:
        while (alert := self._waiting.get()) is not None:
            try:
                self._deliver_one(alert)
            except Exception:
                # Whatever an odd address does, the next alert deserves its try.
                log.exception("the webhook failed at: %s", alert.message)

    def _deliver_one(self, alert: Alert) -> None:
        wait, error = self.FIRST_WAIT_SECONDS, ""
        for attempt in range(self._config.retries + 1):
            if attempt:
                self._sleep(wait)
                wait *= 2
            error = self._post(self._config.url, alert.to_json(), self._config.timeout_seconds)
            if not error:
                return
        log.error(
            "the webhook took no alert in %d tries (%s): %s",
            self._config.retries + 1,
            error,
            alert.message,
        )


def deliver(alerts: Sequence[Alert], sinks: Sequence[Sink]) -> None:
    """Sends every alert by every way."""
    for alert in alerts:
        for sink in sinks:
            sink.send(alert)
