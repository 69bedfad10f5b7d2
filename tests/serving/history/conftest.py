"""A real Redis server, where one is installed."""

import contextlib
import shutil
import subprocess
import time

import pytest
import redis

from serving.process import free_port


class RedisServer:
    """A `redis-server` of our own, which keeps nothing on the disk."""

    def __init__(self, binary, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--dir", str(folder),
        ]  # fmt: skip
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with contextlib.closing(redis.Redis(port=self.port)) as client:
            for _ in range(200):
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    return
                time.sleep(0.05)
        raise AssertionError("the Redis server did not answer")

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def redis_binary():
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("needs redis-server (Debian package redis-server)")
    return binary


@pytest.fixture(scope="module")
def redis_server(redis_binary, tmp_path_factory):
    server = RedisServer(redis_binary, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()
