"""A gateway as a process of its own, in front of the embedded model server."""

import hashlib
import json
import signal
import subprocess
import sys
import time

import grpc
import httpx
import pytest

from serving.child_process import package_environment
from serving.gateway import messages
from serving.gateway.logs import READY
from serving.process import free_port

KEY = "a-key-of-the-tests"
START_SECONDS = 60.0
RESPONSES = {
    "RecommendFor": messages.RecommendForResponse,
    "RecordEvent": messages.RecordEventResponse,
    "RecordEvents": messages.RecordEventsResponse,
    "GetHistory": messages.GetHistoryResponse,
    "EraseUser": messages.EraseUserResponse,
}


class GatewayProcess:
    """``python -m serving.gateway`` with these flags, and short ways to ask it."""

    def __init__(self, folder, server, *flags, history=None):
        self.folder = folder
        self.port, self.rest_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://127.0.0.1:{self.rest_port}"
        self.log_path = folder / "gateway.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "serving.gateway", "--server", server,
                    "--host", "127.0.0.1", "--port", str(self.port),
                    "--rest-port", str(self.rest_port),
                    "--history", history or f"sqlite:///{folder / 'history.db'}",
                    "--events-log", str(folder / "events"), *map(str, flags),
                ],
                stderr=log,
                env=package_environment(),
            )  # fmt: skip
        self.channel = grpc.insecure_channel(self.address)

    def __enter__(self):
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if READY in self.log() and "the model server" in self.log():
                return self
            time.sleep(0.05)
        self.process.kill()
        self.__exit__()
        raise AssertionError(self.log())

    def __exit__(self, *_):
        self.channel.close()
        self.stop()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def log(self):
        return self.log_path.read_text()

    def ask(self, method, key=KEY, timeout=20, **fields):
        """Calls a method over gRPC; the keyword arguments are the request's fields."""
        (known,) = (one for one in messages.METHODS if one.name == method)
        call = self.channel.unary_unary(
            f"/{messages.SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=RESPONSES[method].FromString,
        )
        metadata = (("x-api-key", key),) if key else ()
        return call(known.request(**fields), metadata=metadata, timeout=timeout)

    def refusal(self, method, key=KEY, **fields):
        """Returns the code and text with which a request is refused."""
        with pytest.raises(grpc.RpcError) as caught:
            self.ask(method, key, **fields)
        return caught.value.code().name, caught.value.details()

    def recommended(self, user, **fields):
        """Returns the ids recommended to a shopper."""
        answer = self.ask("RecommendFor", user_id=user, **fields)
        return [item.item_id for item in answer.items]

    def post(self, path, body, key=KEY):
        """Calls a method over REST."""
        headers = {"x-api-key": key} if key else {}
        return httpx.post(f"{self.url}{path}", json=body, headers=headers, trust_env=False)

    def get(self, path):
        return httpx.get(f"{self.url}{path}", trust_env=False)

    def logged(self, event=None):
        """Returns the lines of the event log, oldest first."""
        lines = [
            json.loads(line)
            for segment in sorted((self.folder / "events").glob("events-*.jsonl"))
            for line in segment.read_text().splitlines()
        ]
        return [line for line in lines if event in (None, line["event"])]

    def metric(self, name, **labels):
        """Returns the value of a metric's sample; 0 where there is none."""
        from prometheus_client.parser import text_string_to_metric_families

        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return 0


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    path.write_text(f"# Who may ask\nshop-1:{digest}  # the shop\n")
    return path


@pytest.fixture(scope="session")
def gateway(server, keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(folder, server.address, "--api-keys", keys) as process:
        yield process
