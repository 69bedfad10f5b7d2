"""The gRPC face of the server: PredictionService, ModelService and health."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving import wire
from serving.server.manager import ModelManager
from serving.server.model_info import get_model_metadata, get_model_status
from serving.server.predict import predict
from serving.server.statuses import Code, ServingError, truncated

_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
# A handler holds a thread while C++ computes; more than the cores keeps them busy.
HANDLER_THREADS = 16


class GrpcServer:
    """A gRPC server over a `ModelManager`."""

    def __init__(self, manager: ModelManager, address: str, *, threads: int = HANDLER_THREADS):
        """Binds `address`, without answering yet.

        Raises:
            OSError: if the address is in use.
        """
        self._manager = manager
        self._health = health.HealthServicer()
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                # Or two servers could share a port, each answering some of the requests.
                ("grpc.so_reuseport", 0),
            ],
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    PREDICTION_SERVICE,
                    {
                        "Predict": _handler(self._predict, wire.PredictRequest),
                        "GetModelMetadata": _handler(
                            lambda request, _: get_model_metadata(manager, request),
                            wire.GetModelMetadataRequest,
                        ),
                    },
                ),
                grpc.method_handlers_generic_handler(
                    MODEL_SERVICE,
                    {
                        "GetModelStatus": _handler(
                            lambda request, _: get_model_status(manager, request),
                            wire.GetModelStatusRequest,
                        ),
                    },
                ),
            )
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot bind {address}") from error

    def start(self) -> None:
        """Starts to answer, and says so on the health service."""
        self._server.start()
        for service in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    def stop(self, grace_seconds: float) -> None:
        """Refuses new requests, and waits up to `grace_seconds` for those under way."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_seconds).wait()

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        with self._manager.servable(request.model_spec) as servable:
            remaining = context.time_remaining()
            timeout_ms = None if remaining is None else max(1, int(remaining * 1000))
            return predict(servable, request, timeout_ms)


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
            context.abort(grpc.StatusCode.INTERNAL, "the request is no valid message of its type")

    return grpc.unary_unary_rpc_method_handler(respond)
