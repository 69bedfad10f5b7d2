"""A Redis server that goes away and comes back, or is not for us."""

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
