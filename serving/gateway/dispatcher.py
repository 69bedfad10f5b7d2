"""The way of every request, whichever protocol it came by: admit, answer, count, log."""

import logging
import time
from collections.abc import Callable
from typing import Any

from serving.gateway.access import Access, Credentials
from serving.gateway.errors import RefusalError, refusal
from serving.gateway.messages import Method
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.service import GatewayService
from serving.server.statuses import Code

log = logging.getLogger("serving.gateway")


class Dispatcher:
    """Answers requests of known callers."""

    def __init__(
        self, service: GatewayService, access: Access, metrics: GatewayMetrics, timeout: float
    ) -> None:
        """Puts the parts together.

        Args:
            service: what answers.
            access: who may ask.
            metrics: what is counted.
            timeout: the longest that an answer may take, in seconds.
        """
        self._access = access
        self._metrics = metrics
        self._timeout = timeout
        self._handlers: dict[str, Callable[[Any, float], Any]] = {
            "RecommendFor": service.recommend_for,
            "RecordEvent": service.record_event,
            "RecordEvents": service.record_events,
            "GetHistory": service.get_history,
            "EraseUser": service.erase_user,
        }

    def answer(
        self, method: Method, request: Any, credentials: Credentials, remaining: float | None
    ) -> Any:
        """Returns the response.

        Args:
            method: what is asked.
            request: its message.
            credentials: what the caller showed.
            remaining: seconds until the caller's deadline; None for none.

        Raises:
            RefusalError: if it is not answered.
        """
        began = time.perf_counter()
        caller, code, text = None, Code.OK, ""
        try:
            caller = self._access.admit(credentials)
            timeout = min(self._timeout, remaining or self._timeout)
            return self._handlers[method.name](request, timeout)
        except Exception as error:
            known = error if isinstance(error, RefusalError) else refusal(error)
            if known is None:
                # A defect: the log gets the trace, the caller nothing that may be private.
                log.exception("a defect of the gateway")
                known = RefusalError(Code.INTERNAL, "the gateway failed; its log says how")
            code, text = known.code, known.text
            raise known from error
        finally:
            seconds = time.perf_counter() - began
            self._metrics.requests.labels(method.name, code.name).inc()
            self._metrics.seconds.labels(method.name).observe(seconds)
            fields = {
                "method": method.name,
                "code": code.name,
                "ms": round(seconds * 1e3, 3),
                "caller": caller,
            }
            log.info(text or "answered", extra={"fields": fields})
