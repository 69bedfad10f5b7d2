"""The REST face of the server: predictions, status and metadata over HTTP."""

import asyncio
import functools
import json
import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from google.protobuf import json_format

from serving import wire
from serving.server import json_examples
from serving.server.calls import Calls
from serving.server.model_info import SIGNATURE_DEF, get_model_metadata, get_model_status
from serving.server.statuses import HTTP_STATUS, Code, ServingError, truncated

log = logging.getLogger("serving.server")
ENTRYPOINT = "REST"
_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<verb>classify|regress|predict)", re.I)
_LOOK = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<metadata>metadata))?", re.I)
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
# The whole body is read before it is parsed; the official server has no limit at all.
MAX_BODY_BYTES = 256 << 20


class RestServer:
    """An HTTP server in front of `Calls`, with an event loop in a thread of its own."""

    def __init__(
        self,
        calls: Calls,
        host: str,
        port: int,
        *,
        timeout_ms: int,
        threads: int,
        grace_seconds: float,
        metrics_path: str | None = None,
        allow_cors: bool = False,
    ) -> None:
        """Binds the port and answers at once.

        Args:
            calls: what answers.
            host: address to listen on.
            port: port to listen on.
            timeout_ms: bound of one prediction.
            threads: requests handled at a time.
            grace_seconds: how long `stop` waits for requests under way.
            metrics_path: where Prometheus finds the metrics; None for nowhere.
            allow_cors: whether web pages of other hosts may ask.

        Raises:
            OSError: if the port is in use.
        """
        self._calls = calls
        self._timeout_ms = timeout_ms
        self._metrics_path = metrics_path
        self._headers = _CORS if allow_cors else {}
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="rest")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest", daemon=True)
        self._thread.start()
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=grace_seconds
        )
        try:
            self._run(self._listen(host, port))
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Refuses new requests, and waits a while for those under way."""
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._workers.shutdown(wait=False)

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _listen(self, host: str, port: int) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, reuse_port=False).start()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        if self._metrics_path:
            application.router.add_get(self._metrics_path, self._metrics)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._calls.metrics.page(), content_type="text/plain")

    async def _answer(self, request: web.Request) -> web.Response:
        if not request.path.lower().startswith("/v1/"):
            raise web.HTTPNotFound
        if request.method == "OPTIONS" and self._headers:
            return web.Response(headers=self._headers)
        try:
            answer = self._answer_to(request)
            body = await request.read()
            loop = asyncio.get_running_loop()
            text = await loop.run_in_executor(self._workers, answer, body)
            status = 200
        except ServingError as error:
            status = HTTP_STATUS.get(error.code, 500)
            text = json.dumps({"error": truncated(error.text)}, ensure_ascii=False)
        except web.HTTPRequestEntityTooLarge:
            status, text = 413, json.dumps({"error": f"the body is over {MAX_BODY_BYTES} bytes"})
        except Exception:
            log.exception("a request to %s failed", request.path)
            status, text = 500, json.dumps({"error": "the server failed at the request"})
        return web.Response(
            # What spells no text, such as \ud800 from a request, is answered as "?".
            body=text.encode("utf-8", errors="replace"),
            status=status,
            content_type="application/json",
            headers=self._headers,
        )

    def _answer_to(self, request: web.Request) -> Callable[[bytes], str]:
        """Returns what answers the body of a request, by its method and path."""
        pattern = {"POST": _ASK, "GET": _LOOK}.get(request.method)
        match = pattern.fullmatch(request.raw_path.partition("?")[0]) if pattern else None
        if match is None:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Malformed request: {request.method} {request.path}"
            )
        spec = _model_spec(match)
        if request.method == "POST":
            answer = {
                "predict": self._predict,
                "classify": self._classify,
                "regress": self._regress,
            }[match["verb"].lower()]
            return functools.partial(answer, spec)
        if not spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")
        return functools.partial(self._metadata if match["metadata"] else self._status, spec)

    def _predict(self, spec: Any, body: bytes) -> str:
        return self._calls.predict_json(spec, body, self._timeout_ms, ENTRYPOINT)

    def _classify(self, spec: Any, body: bytes) -> str:
        request = wire.ClassificationRequest(model_spec=spec)
        json_examples.fill_request(body, request)
        response = self._calls.classify(request, self._timeout_ms, ENTRYPOINT)
        return json_examples.classes_to_json(response)

    def _regress(self, spec: Any, body: bytes) -> str:
        request = wire.RegressionRequest(model_spec=spec)
        json_examples.fill_request(body, request)
        response = self._calls.regress(request, self._timeout_ms, ENTRYPOINT)
        return json_examples.regressions_to_json(response)

    def _status(self, spec: Any, _: bytes) -> str:
        request = wire.GetModelStatusRequest(model_spec=spec)
        response = get_model_status(self._calls.manager, request)
        states = wire.ModelVersionStatus.State
        rows = [
            {
                "version": str(status.version),
                "state": states.Name(status.state),
                "status": {
                    "error_code": Code(status.status.error_code).name,
                    "error_message": status.status.error_message,
                },
            }
            for status in response.model_version_status
        ]
        return json.dumps({"model_version_status": rows}, indent=1)

    def _metadata(self, spec: Any, _: bytes) -> str:
        request = wire.GetModelMetadataRequest(model_spec=spec, metadata_field=[SIGNATURE_DEF])
        response = get_model_metadata(self._calls.manager, request)
        signatures = wire.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        as_dict = functools.partial(
            json_format.MessageToDict,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        spec = as_dict(response.model_spec)
        return json.dumps(
            {"model_spec": spec, "metadata": {SIGNATURE_DEF: as_dict(signatures)}}, indent=1
        )


def _model_spec(match: re.Match[str]) -> Any:
    spec = wire.ModelSpec(name=unquote(match["name"] or ""))
    if match["version"]:
        version = int(match["version"]) if len(match["version"]) < 20 else 1 << 63
        if version >= 1 << 63:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Failed to convert version: {match['version']} to numeric."
            )
        spec.version.value = version
    if match["label"]:
        spec.version_label = unquote(match["label"])
    return spec
