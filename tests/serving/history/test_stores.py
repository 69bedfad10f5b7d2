"""What both stores promise, tried on both."""

import json
import threading

import pytest
import redis

from serving.history import Event, HistorySetupError, UserHashes, open_history


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.db'}"
    server = request.getfixturevalue("redis_server")
    with redis.Redis(port=server.port) as client:
        client.flushall()
    return server.url


@pytest.fixture
def history(url):
    with open_history(url, keep=3) as store:
        yield store


A = Event("A1", "view", 1000.0)
B = Event("B1", "cart", 1000.25)
C = Event("Ü 起司", "purchase", 1001.0)
D = Event("D1", "view", 1002.0)


def test_events_come_back_oldest_first_whatever_their_order(history):
    assert history.recent("u", 10) == []
    assert history.append("u", [C, A]) == [True, True]
    assert history.append("u", [B]) == [True]
    assert history.recent("u", 10) == [A, B, C]
    assert history.recent("u", 2) == [B, C]
    assert history.recent("other", 10) == []


def test_only_the_newest_are_kept(history):
    history.append("u", [A, B, C])
    history.append("u", [D])
    assert history.recent("u", 10) == [B, C, D]
    history.append("u", [A])  # Older than all that is kept.
    assert history.recent("u", 10) == [B, C, D]


def test_a_repeated_request_changes_nothing(history):
    assert history.append("u", [A, B]) == [True, True]
    assert history.append("u", [A, B, C]) == [False, False, True]
    assert history.recent("u", 10) == [A, B, C]


def test_the_same_item_may_come_again(history):
    again = Event("A1", "view", 1000.001)
    assert history.append("u", [A, again]) == [True, True]
    assert history.recent("u", 10) == [A, again]


def test_events_of_one_millisecond_are_in_the_order_of_kind_and_item(history):
    events = [Event("b", "view", 5.0), Event("a", "view", 5.0), Event("z", "cart", 5.0)]
    history.append("u", events)
    assert history.recent("u", 10) == [events[2], events[1], events[0]]


def test_erasing_removes_one_shopper_only(history):
    history.append("u", [A, B])
    history.append("v", [C])
    assert history.erase("u") == 2
    assert history.recent("u", 10) == []
    assert history.recent("v", 10) == [C]
    assert history.erase("u") == 0


def test_histories_and_salt_outlive_the_store(url):
    with open_history(url) as first:
        first.append("u", [A])
        salt = first.salt()
        assert first.salt() == salt
    with open_history(url) as second:
        assert second.recent("u", 10) == [A]
        assert second.salt() == salt
        second.check()


def test_threads_share_a_store(history):
    threads = [
        threading.Thread(
            target=lambda user=str(number): [
                history.append(user, [Event(str(step), "view", float(step))]) for step in range(20)
            ]
        )
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert [event.item_id for event in history.recent(str(number), 9)] == ["17", "18", "19"]


def test_the_hash_of_a_user_is_that_of_the_training_data(history):
    from tfrec.data.users import hash_user

    assert UserHashes(history, "pepper").of("Jo") == hash_user("Jo", "pepper")
    own = UserHashes(history).of("Jo")
    assert own == hash_user("Jo", history.salt())
    assert own == UserHashes(history).of("Jo") != UserHashes(history).of("jo")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("history.db", "should be sqlite:///FILE .* not one that begins with ''"),
        ("sqlite://history.db", "should be sqlite:///FILE"),
        ("sqlite:///", "should be sqlite:///FILE"),
        ("mysql://u:secret@h/db", "not one that begins with 'mysql'$"),
        ("redis://host:port/0", "the Redis URL of the history is wrong"),
        ("redis://[::1", "should be sqlite:///FILE"),
    ],
)
def test_wrong_urls_are_one_sentence(url, sentence):
    with pytest.raises(HistorySetupError, match=sentence) as caught:
        open_history(url)
    assert "secret" not in str(caught.value)


def test_a_store_keeps_at_least_one_event(tmp_path):
    with pytest.raises(HistorySetupError, match="at least one event, not 0"):
        open_history(f"sqlite:///{tmp_path / 'h.db'}", keep=0)


def test_redis_holds_hashes_and_events_only(redis_server):
    with redis.Redis(port=redis_server.port, decode_responses=True) as client:
        client.flushall()
        with open_history(redis_server.url) as history:
            history.append("5f", [A])
            history.salt()
        assert sorted(client.keys()) == [
            "tfrec:history:salt", "tfrec:history:schema", "tfrec:history:user:5f",
        ]  # fmt: skip
        members = client.zrange("tfrec:history:user:5f", 0, -1)
        assert [json.loads(member) for member in members] == [[1000000, "view", "A1"]]
