"""A Redis server that goes away and comes back, or is not for us."""

import select
import socket
import socketserver
import threading

import pytest
import redis

from serving.history import Event, HistorySetupError, HistoryUnavailableError, open_history
from serving.process import free_port
from tests.serving.history.conftest import RedisServer

A = Event("A1", "view", 1000.0)


def test_a_server_that_goes_away_is_said_and_used_again(redis_binary, tmp_path):
    server = RedisServer(redis_binary, tmp_path)
    server.start()
    with open_history(server.url) as history:
        history.append("u", [A])
        server.stop()
        for _ in range(2):
            with pytest.raises(HistoryUnavailableError, match=r"in Redis at 127\.0\.0\.1 does not"):
                history.recent("u", 5)
        server.start()
        assert history.recent("u", 5) == []  # This one keeps nothing on the disk.
        assert history.append("u", [A]) == [True]
        server.stop()


class LosesAnswers(socketserver.ThreadingTCPServer):
    """Passes everything on to a Redis server and back, but for answers that are to be lost.

    Attributes:
        url: as for the server itself.
        lost: how many transactions from now on are done, and their connections closed.
    """

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), None)
        self.url = f"redis://127.0.0.1:{self.server_address[1]}/0"
        self.lost = 0
        self._port = port

    def finish_request(self, request, client_address):
        losing = False
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            while True:
                for source in select.select([request, server], [], [])[0]:
                    data = source.recv(1 << 16)
                    if not data or (source is server and losing):
                        return
                    if self.lost and b"EXEC" in data:
                        self.lost -= 1
                        losing = True
                    (server if source is request else request).sendall(data)


@pytest.fixture
def lossy(redis_server):
    with LosesAnswers(redis_server.port) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        yield proxy
        proxy.shutdown()


def test_an_event_that_was_added_without_an_answer_is_new_when_it_is_repeated(lossy):
    both = [A, Event("B1", "view", 2000.0)]
    with open_history(lossy.url) as history:
        assert history.append("lost", [A]) == [True]
        lossy.lost = 1
        with pytest.raises(HistoryUnavailableError, match="does not answer"):
            history.append("lost", both[1:])
        assert history.recent("lost", 5) == both
        # That it is there, nobody was told; once it was told, it is there.
        assert history.append("lost", both) == [False, True]
        assert history.append("lost", both) == [False, False]
        assert history.recent("lost", 5) == both


def test_an_erasure_without_an_answer_is_not_said_to_be_one_of_nothing(lossy):
    with open_history(lossy.url) as history:
        history.append("gone", [A])
        lossy.lost = 1
        with pytest.raises(HistoryUnavailableError, match="does not answer"):
            history.erase("gone")
        assert history.recent("gone", 5) == []
        assert history.erase("gone") == 0


def test_unanswered_events_are_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr("serving.history.redis.UNANSWERED_EVENTS", 2)
    with open_history(f"redis://127.0.0.1:{free_port()}/0") as history:
        for number in range(4):
            with pytest.raises(HistoryUnavailableError):
                history.append("u", [Event(str(number), "view", float(number))])
        assert [member for _, member in history._unanswered] == [
            '[2000, "view", "2"]', '[3000, "view", "3"]',
        ]  # fmt: skip


def test_a_server_that_is_not_there_is_one_sentence_without_the_password():
    with open_history(f"redis://:secret@127.0.0.1:{free_port()}/0") as history:
        with pytest.raises(HistoryUnavailableError, match="see that the server runs") as caught:
            history.check()
        assert "secret" not in str(caught.value)


def test_a_wrong_password_is_said(redis_server):
    url = redis_server.url.replace("redis://", "redis://:wrong@")
    with redis.Redis(port=redis_server.port) as client:
        client.config_set("requirepass", "right")
        try:
            with (
                open_history(url) as history,
                pytest.raises(HistorySetupError, match="refuses the user or the password"),
            ):
                history.check()
        finally:
            client.auth("right")
            client.config_set("requirepass", "")


def test_a_newer_schema_is_refused(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        client.set("tfrec:history:schema", 2)
        with (
            open_history(redis_server.url) as history,
            pytest.raises(HistorySetupError, match="has schema 2"),
        ):
            history.recent("u", 5)
        client.delete("tfrec:history:schema")
