"""The gRPC face of the server: PredictionService, ModelService and health."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving import wire
from serving.server.calls import Calls
from serving.server.model_info import get_model_metadata, get_model_status
from serving.server.statuses import Code, ServingError, truncated

log = logging.getLogger("serving.server")
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
ENTRYPOINT = "GRPC"
FOREVER_SECONDS = 1e9
OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Or two servers could share a port, each answering some of the requests.
    ("grpc.so_reuseport", 0),
)


class GrpcServer:
    """A gRPC server in front of `Calls`."""

    def __init__(
        self,
        calls: Calls,
        addresses: Sequence[str],
        *,
        threads: int,
        credentials: grpc.ServerCredentials | None = None,
        options: Sequence[tuple[str, int | str]] = (),
        with_health: bool = False,
    ) -> None:
        """Binds the addresses, without answering yet.

        Args:
            calls: what answers.
            addresses: ``HOST:PORT`` or ``unix:PATH``.
            threads: requests handled at a time.
            credentials: keys and certificates of a TLS connection; None for a plain one.
            options: channel arguments beyond ours.
            with_health: whether to answer the standard health service, too.

        Raises:
            OSError: if an address is in use.
        """
        self._health = health.HealthServicer() if with_health else None
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            # Of two equal names, gRPC would take the first.
            options=list({**dict(OPTIONS), **dict(options)}.items()),
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(PREDICTION_SERVICE, _prediction(calls)),
                grpc.method_handlers_generic_handler(MODEL_SERVICE, _model(calls)),
            )
        )
        if self._health:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        for address in addresses:
            try:
                if credentials:
                    self._server.add_secure_port(address, credentials)
                else:
                    self._server.add_insecure_port(address)
            except RuntimeError as error:
                raise OSError(f"cannot bind {address}") from error

    def start(self) -> None:
        """Starts to answer, and says so on the health service."""
        self._server.start()
        if self._health:
            for service in ("", PREDICTION_SERVICE, MODEL_SERVICE):
                self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_seconds: float) -> None:
        """Refuses new requests, and waits up to `grace_seconds` for those under way."""
        if self._health:
            self._health.enter_graceful_shutdown()
        self._server.stop(grace_seconds).wait()


def _prediction(calls: Calls) -> dict[str, grpc.RpcMethodHandler]:
    def timed(call: Callable[[Any, int | None, str], Any]) -> Callable[[Any, Any], Any]:
        return lambda request, context: call(request, _timeout_ms(context), ENTRYPOINT)

    return {
        "Predict": _handler(timed(calls.predict), wire.PredictRequest),
        "Classify": _handler(timed(calls.classify), wire.ClassificationRequest),
        "Regress": _handler(timed(calls.regress), wire.RegressionRequest),
        "MultiInference": _handler(timed(calls.multi_inference), wire.MultiInferenceRequest),
        "GetModelMetadata": _handler(
            lambda request, _: get_model_metadata(calls.manager, request),
            wire.GetModelMetadataRequest,
        ),
    }


def _model(calls: Calls) -> dict[str, grpc.RpcMethodHandler]:
    return {
        "GetModelStatus": _handler(
            lambda request, _: get_model_status(calls.manager, request),
            wire.GetModelStatusRequest,
        ),
        "HandleReloadConfigRequest": _handler(
            lambda request, context: calls.reload(request, context.is_active),
            wire.ReloadConfigRequest,
        ),
    }


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
    remaining = context.time_remaining()
    # A call without a deadline has one at the end of time.
    if remaining is None or remaining > FOREVER_SECONDS:
        return None
    return max(1, int(remaining * 1000))


def _handler(
    answer: Callable[[Any, grpc.ServicerContext], Any], request_class: Any
) -> grpc.RpcMethodHandler:
    # Messages are parsed here and not by gRPC, which logs a stack trace for each broken one.
    def respond(data: bytes, context: grpc.ServicerContext) -> Any:
        try:
            return answer(request_class.FromString(data), context).SerializeToString()
        except ServingError as error:
            context.abort(_STATUS_CODES[int(error.code)], truncated(error.text))
        except DecodeError:
            text = "the request is no valid message of its type"
            context.abort(_STATUS_CODES[int(Code.INTERNAL)], text)
        except Exception:
            # A defect of ours: the client gets a status, not our insides.
            log.exception("a request of type %s failed", request_class.DESCRIPTOR.name)
            context.abort(_STATUS_CODES[int(Code.INTERNAL)], "the server failed at the request")

    return grpc.unary_unary_rpc_method_handler(respond)
