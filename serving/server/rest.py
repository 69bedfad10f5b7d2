"""The REST face of the server: predict, status and metadata over HTTP."""

import asyncio
import functools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web
from google.protobuf import json_format

from serving import wire
from serving.server.json_tensors import request_from_json, response_to_json
from serving.server.manager import ModelManager
from serving.server.model_info import SIGNATURE_DEF, get_model_metadata, get_model_status
from serving.server.predict import predict
from serving.server.statuses import Code, ServingError, truncated

HTTP_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.CANCELLED: 499,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
MODEL = r"/v1/models/{name:[^/:]+}"
WHICH = ("", r"/versions/{version:\d+}", r"/labels/{label:[^/:]+}")
# The whole body is read before it is parsed; the official server has no limit at all.
MAX_BODY_BYTES = 256 << 20


class RestServer:
    """An HTTP server over a `ModelManager`, with an event loop in a thread of its own."""

    def __init__(
        self,
        manager: ModelManager,
        host: str,
        port: int,
        *,
        timeout_ms: int,
        threads: int,
        grace_seconds: float,
    ) -> None:
        """Binds the port and answers at once.

        Args:
            manager: whose models answer.
            host: address to listen on.
            port: port to listen on.
            timeout_ms: bound of one prediction.
            threads: requests handled at a time.
            grace_seconds: how long `stop` waits for requests under way.

        Raises:
            OSError: if the port is in use.
        """
        self._manager = manager
        self._timeout_ms = timeout_ms
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
        application = web.Application(middlewares=[_errors_as_json], client_max_size=MAX_BODY_BYTES)
        for which in WHICH:
            application.router.add_post(f"{MODEL}{which}:{{verb}}", self._post)
            application.router.add_get(f"{MODEL}{which}", self._status)
            application.router.add_get(f"{MODEL}{which}/metadata", self._metadata)
        return application

    async def _post(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb != "predict":
            raise ServingError(Code.UNIMPLEMENTED, f"the embedded server has no :{verb} over REST")
        body = await request.read()
        return await self._in_thread(self._predict, _model_spec(request), body)

    async def _status(self, request: web.Request) -> web.Response:
        return await self._in_thread(self._status_text, _model_spec(request))

    async def _metadata(self, request: web.Request) -> web.Response:
        return await self._in_thread(self._metadata_text, _model_spec(request))

    async def _in_thread(self, function: Any, *arguments: Any) -> web.Response:
        call = functools.partial(function, *arguments)
        text = await asyncio.get_running_loop().run_in_executor(self._workers, call)
        return web.Response(text=text, content_type="application/json")

    def _predict(self, spec: Any, body: bytes) -> str:
        with self._manager.servable(spec) as servable:
            request, by_row = request_from_json(body, servable.session.signatures)
            return response_to_json(predict(servable, request, self._timeout_ms), by_row)

    def _status_text(self, spec: Any) -> str:
        response = get_model_status(self._manager, wire.GetModelStatusRequest(model_spec=spec))
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

    def _metadata_text(self, spec: Any) -> str:
        response = get_model_metadata(
            self._manager,
            wire.GetModelMetadataRequest(model_spec=spec, metadata_field=[SIGNATURE_DEF]),
        )
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


def _model_spec(request: web.Request) -> Any:
    spec = wire.ModelSpec(name=request.match_info["name"])
    if "version" in request.match_info:
        version = int(request.match_info["version"])
        if version >= 1 << 63:
            raise ServingError(Code.INVALID_ARGUMENT, f"Invalid version number: {version}")
        spec.version.value = version
    if "label" in request.match_info:
        spec.version_label = request.match_info["label"]
    return spec


@web.middleware
async def _errors_as_json(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        return await handler(request)
    except ServingError as error:
        status = HTTP_STATUS.get(error.code, 500)
        return web.json_response({"error": truncated(error.text)}, status=status)
    except web.HTTPException as error:
        if error.status in (404, 405):
            text = f"Malformed request: {request.method} {request.path}"
            return web.json_response({"error": text}, status=error.status)
        return web.json_response({"error": error.reason}, status=error.status)
