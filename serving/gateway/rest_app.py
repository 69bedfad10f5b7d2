"""The gateway over REST: the JSON mapping of the same messages, described by an OpenAPI page."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import fastapi
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi
from google.protobuf import json_format
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import serving.gateway.openapi as descriptions
from serving.gateway.access import API_KEY_HEADER, Credentials
from serving.gateway.dispatcher import Dispatcher
from serving.gateway.errors import RefusalError
from serving.gateway.messages import METHODS, POOL, Method
from serving.gateway.metrics import GatewayMetrics
from serving.server.statuses import HTTP_STATUS, Code

MAX_BODY_BYTES = 4 << 20
BODY_SECONDS = 10.0
# What mutual TLS calls every caller here: the HTTP server does not pass its certificate on.
VERIFIED = "certificate"


def application(
    dispatcher: Dispatcher,
    metrics: GatewayMetrics,
    is_ready: Callable[[], bool],
    *,
    verified: bool = False,
) -> fastapi.FastAPI:
    """Returns the ASGI application.

    Args:
        dispatcher: what answers.
        metrics: what ``/metrics`` shows.
        is_ready: whether the gateway can recommend.
        verified: whether the connection itself proves who asks (mutual TLS).
    """
    app = fastapi.FastAPI(title="tfrec gateway", version="1")
    extra = descriptions.operations()
    for method in METHODS:
        app.add_api_route(
            method.rest_path,
            _route(dispatcher, method, verified),
            methods=["POST"],
            openapi_extra=extra[method.rest_path],
            name=method.name,
            response_model=None,
        )

    @app.get("/healthz", summary="Whether the process lives", tags=["operations"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether the model server answers", tags=["operations"])
    async def readyz(response: fastapi.Response) -> dict[str, str]:
        ready = is_ready()
        response.status_code = 200 if ready else 503
        return {"status": "ok" if ready else "the model server does not answer"}

    @app.get("/metrics", summary="Prometheus metrics", tags=["operations"])
    async def show_metrics() -> fastapi.Response:
        return fastapi.Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    app.openapi = functools.partial(_openapi, app)  # type: ignore[method-assign]
    return app


def _route(
    dispatcher: Dispatcher, method: Method, verified: bool
) -> Callable[[fastapi.Request], Awaitable[fastapi.Response]]:
    async def route(request: fastapi.Request) -> fastapi.Response:
        credentials = Credentials(
            request.headers.get(API_KEY_HEADER), VERIFIED if verified else None
        )
        try:
            message = _parsed(method, await _body(request))
            answer = functools.partial(dispatcher.answer, method, message, credentials, None)
            response = await run_in_threadpool(answer)
        except RefusalError as error:
            return fastapi.responses.JSONResponse(
                {"code": error.code.name, "error": error.text}, HTTP_STATUS.get(error.code, 500)
            )
        content = json_format.MessageToJson(
            response,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            indent=None,
            ensure_ascii=False,
            descriptor_pool=POOL,
        )
        return fastapi.Response(content, media_type="application/json")

    return route


async def _body(request: fastapi.Request) -> bytes:
    """Reads a body that is neither too large nor too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise RefusalError(
                        Code.INVALID_ARGUMENT,
                        f"the body is larger than {MAX_BODY_BYTES >> 20} MiB; send less at once",
                    )
    except TimeoutError as error:
        raise RefusalError(
            Code.DEADLINE_EXCEEDED, f"the body did not arrive within {BODY_SECONDS:.0f} s"
        ) from error
    return bytes(body)


def _parsed(method: Method, body: bytes) -> Any:
    try:
        content = json.loads(body or b"{}")
        if not isinstance(content, dict):
            raise ValueError(f"it should be an object, not a {type(content).__name__}")
        return json_format.ParseDict(content, method.request(), descriptor_pool=POOL)
    except (ValueError, json_format.ParseError, RecursionError) as error:
        raise RefusalError(
            Code.INVALID_ARGUMENT, f"the body is no {method.request.DESCRIPTOR.name}: {error}"
        ) from error


def _openapi(app: fastapi.FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = schema.setdefault("components", {})
        components["schemas"] = {**descriptions.schemas(), "Error": descriptions.ERROR_SCHEMA}
        components["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER}
        }
        schema["security"] = [{"key": []}, {}]
        app.openapi_schema = schema
    return app.openapi_schema
