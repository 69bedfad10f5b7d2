"""The gateway over gRPC, with health checking."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.gateway.access import API_KEY_HEADER, Credentials
from serving.gateway.dispatcher import Dispatcher
from serving.gateway.errors import RefusalError
from serving.gateway.messages import METHODS, SERVICE, Method
from serving.gateway.ports import bound
from serving.ssl_config import SslConfig

THREADS = 16
# Far above the largest batch of events; the rest can only be a mistake.
MAX_REQUEST_BYTES = 4 << 20


class GrpcServer:
    """A gRPC server over a `Dispatcher`."""

    def __init__(self, dispatcher: Dispatcher, address: str, ssl: SslConfig | None) -> None:
        """Binds the port; `start` begins to answer.

        Args:
            dispatcher: what answers.
            address: ``HOST:PORT`` to listen on.
            ssl: for TLS; None for a plain port.

        Raises:
            OSError: if the port is in use.
        """
        # gRPC would also write what it thinks of a port in use to stderr.
        host, _, port = address.rpartition(":")
        bound(host, int(port)).close()
        self._server = grpc.server(
            ThreadPoolExecutor(THREADS, thread_name_prefix="grpc"),
            options=[
                # Two servers must not share a port without noticing.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
            ],
        )
        handlers = {method.name: _handler(dispatcher, method) for method in METHODS}
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, handlers),)
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            if ssl is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, ssl.server_credentials())
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}") from error

    def start(self) -> None:
        """Begins to answer."""
        self._server.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    def set_ready(self, ready: bool) -> None:
        """Tells health checks of the service whether it can recommend."""
        states = health_pb2.HealthCheckResponse
        self._health.set(SERVICE, states.SERVING if ready else states.NOT_SERVING)

    def stop(self, grace_seconds: float) -> None:
        """Takes no new requests and waits for those under way."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_seconds).wait()


def _handler(dispatcher: Dispatcher, method: Method) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        _answering(dispatcher, method),
        request_deserializer=method.request.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _answering(
    dispatcher: Dispatcher, method: Method
) -> Callable[[Any, grpc.ServicerContext], Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return dispatcher.answer(
                method, request, _credentials(context), context.time_remaining()
            )
        except RefusalError as error:
            context.abort(grpc.StatusCode[error.code.name], error.text)

    return answer


def _credentials(context: grpc.ServicerContext) -> Credentials:
    metadata = dict(context.invocation_metadata())
    # Filled only after the certificate was verified.
    names = context.auth_context().get("x509_common_name", [])
    return Credentials(
        metadata.get(API_KEY_HEADER), names[0].decode("utf-8", "replace") if names else None
    )
