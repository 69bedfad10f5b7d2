"""A model service that answers as it is told; as a program: PORT, SECONDS that it takes."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from serving import wire


class ScriptedServer:
    """A model service whose GetModelStatus follows a script of status codes; then it answers."""

    def __init__(self, credentials=None, port=0, script=()):
        self.script = list(script)
        self.asked = 0
        self.peers = set()
        self.headers = []
        self._lock = threading.Lock()
        handler = grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=wire.GetModelStatusRequest.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "tensorflow.serving.ModelService", {"GetModelStatus": handler}
                ),
            )
        )
        if credentials is None:
            port = self._server.add_insecure_port(f"localhost:{port}")
        else:
            port = self._server.add_secure_port(f"localhost:{port}", credentials)
        self.address = f"localhost:{port}"
        self._server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stop(0)

    def _answer(self, request, context):
        with self._lock:
            self.asked += 1
            self.peers.add(context.peer())
            self.headers.append(dict(context.invocation_metadata()))
            step = self.script.pop(0) if self.script else None
        if isinstance(step, float):
            time.sleep(step)
        elif step is not None:
            context.abort(*(step if isinstance(step, tuple) else (step, "as told")))
        response = wire.GetModelStatusResponse()
        response.model_version_status.add(version=7, state=30)
        return response


if __name__ == "__main__":
    with ScriptedServer(port=sys.argv[1], script=[float(sys.argv[2])]) as process:
        print("ready", flush=True)
        time.sleep(60)
