"""The calls of PredictionService and ModelService, whoever carries them: gRPC or REST."""

import time
from collections.abc import Callable
from typing import Any

from serving import wire
from serving.server.examples import classify, multi_inference, multi_inference_spec, regress
from serving.server.json_tensors import request_from_json, response_to_json
from serving.server.manager import ModelManager
from serving.server.metrics import Metrics
from serving.server.model_configs import read
from serving.server.predict import predict
from serving.server.servable import Servable
from serving.server.statuses import Code, ServingError


class Calls:
    """Answers requests from the models of a manager, and counts them.

    Attributes:
        manager: whose models answer.
        metrics: what counts.
    """

    def __init__(self, manager: ModelManager, metrics: Metrics) -> None:
        self.manager = manager
        self.metrics = metrics

    def predict(self, request: Any, timeout_ms: int | None, entrypoint: str) -> Any:
        """Answers a PredictRequest.

        Args:
            request: the request.
            timeout_ms: what is left of the client's deadline; None for none.
            entrypoint: what the metrics call the way that it came: GRPC or REST.

        Raises:
            ServingError: with the code and text of the official server.
        """
        spec = _spec(request)
        return self._run(predict, "Predict", request, spec, timeout_ms, entrypoint)

    def predict_json(self, spec: Any, body: bytes, timeout_ms: int | None, entrypoint: str) -> str:
        """Answers the JSON of a prediction, sent to the version that `spec` names; as `predict`."""

        def answer(servable: Servable, body: bytes, timeout_ms: int | None) -> str:
            request, by_row = request_from_json(body, servable.signatures)
            return response_to_json(predict(servable, request, timeout_ms), by_row)

        return self._run(answer, "Predict", body, spec, timeout_ms, entrypoint)

    def classify(self, request: Any, timeout_ms: int | None, entrypoint: str) -> Any:
        """Answers a ClassificationRequest; as `predict`."""
        spec = _spec(request)
        return self._run(classify, "Classify", request, spec, timeout_ms, entrypoint)

    def regress(self, request: Any, timeout_ms: int | None, entrypoint: str) -> Any:
        """Answers a RegressionRequest; as `predict`."""
        spec = _spec(request)
        return self._run(regress, "Regress", request, spec, timeout_ms, entrypoint)

    def multi_inference(self, request: Any, timeout_ms: int | None, entrypoint: str) -> Any:
        """Answers a MultiInferenceRequest; as `predict`."""
        spec = multi_inference_spec(request)
        return self._run(multi_inference, "MultiInference", request, spec, timeout_ms, entrypoint)

    def reload(self, request: Any, is_wanted: Callable[[], bool]) -> Any:
        """Answers a ReloadConfigRequest once the new models answer.

        Args:
            request: the request.
            is_wanted: asked now and then whether the client still waits.

        Raises:
            ServingError: with the code and text of the official server.
        """
        if request.config.WhichOneof("config") is None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
            )
        self.manager.reload(read(request.config), is_wanted)
        response = wire.ReloadConfigResponse()
        response.status.SetInParent()
        return response

    def _run(
        self,
        answer: Callable[[Servable, Any, int | None], Any],
        call: str,
        request: Any,
        spec: Any,
        timeout_ms: int | None,
        entrypoint: str,
    ) -> Any:
        started = time.perf_counter()
        code = Code.INTERNAL
        try:
            with self.manager.servable(spec) as servable:
                response = answer(servable, request, timeout_ms)
            code = Code.OK
            return response
        except ServingError as error:
            code = error.code
            raise
        finally:
            # Names that anyone may make up would fill the memory.
            model = spec.name if spec.name in self.manager.models else ""
            self.metrics.request(model, call, entrypoint, code, time.perf_counter() - started)


def _spec(request: Any) -> Any:
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return request.model_spec
