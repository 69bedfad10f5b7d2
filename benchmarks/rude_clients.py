"""Clients that a server has to bear: thousands that never ask, and one that never reads.

They speak just enough HTTP/2 (RFC 9113) for it; no library lets one behave like this.
"""

import contextlib
import resource
import socket
from collections.abc import Iterator

from serving.client.calls import PREDICT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = 4
SPARE_FILES = 500


@contextlib.contextmanager
def idle_connections(address: str, wanted: int) -> Iterator[int]:
    """Opens connections that never ask; yields how many the limit of open files allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(wanted, hard - SPARE_FILES)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(_connection(address, PREFACE + _frame(SETTINGS, 0, 0)))
        yield count
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def slow_reader(address: str, request: bytes, count: int) -> Iterator[None]:
    """Sends a Predict request `count` times, and lets the server send no byte of an answer."""
    no_window = INITIAL_WINDOW_SIZE.to_bytes(2, "big") + (0).to_bytes(4, "big")
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PREDICT.path),
        (":authority", address),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    )
    headers = b"".join(_header(name, value) for name, value in fields)
    message = b"\0" + len(request).to_bytes(4, "big") + request
    sent = PREFACE + _frame(SETTINGS, 0, 0, no_window)
    for stream in range(1, 2 * count, 2):
        sent += _frame(HEADERS, END_HEADERS, stream, headers)
        sent += _frame(DATA, END_STREAM, stream, message)
    with _connection(address, sent):
        yield


def _connection(address: str, data: bytes) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(data)
    return connection


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    header = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return header + payload


def _header(name: str, value: str) -> bytes:
    """Returns a header field without indexing and without compression (RFC 7541, 6.2.2)."""
    fields = (text.encode() for text in (name, value))
    return b"\0" + b"".join(bytes([len(text)]) + text for text in fields)
