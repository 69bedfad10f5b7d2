"""The Kafka source against a broker, and against librdkafka's own stand-in for one."""

import json

import pytest

from tests.updating.kafka_brokers import broker, create_topic, free_port, send
from tfrec.errors import UserError
from tfrec.updating.sources import open_source
from tfrec.updating.sources.kafka import KafkaSource
from tfrec.updating.sources.source import Position, Source


def values(*numbers: int) -> list[bytes]:
    return [json.dumps({"n": number}).encode() for number in numbers]


def read_all(source: Source, position: Position, count: int, most: int = 100):
    """Reads until `count` events came; returns their numbers and the position."""
    numbers: list[int] = []
    for _ in range(60):
        piece = source.read(position, most, 1.0)
        if piece is not None:
            assert piece.events <= most
            numbers += [json.loads(line)["n"] for line in piece.lines.splitlines()]
            position = piece.position
        if len(numbers) >= count:
            break
    return numbers, position


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest.fixture
def topic(address, request):
    name = request.node.name
    create_topic(address, name, 2)
    return name


def test_every_message_of_all_partitions_is_read_once(address, topic):
    send(address, topic, values(1, 2, 3), partition=0)
    send(address, topic, values(11, 12), partition=1)
    with open_source(f"kafka://{address}/{topic}") as source:
        assert source.name == f"topic {topic}"
        numbers, position = read_all(source, {}, 5, most=2)
        assert sorted(numbers) == [1, 2, 3, 11, 12]
        assert position == {"0": 3, "1": 2}
        assert source.read(position, 10, 0.0) is None


def test_another_process_goes_on_at_the_position(address, topic):
    send(address, topic, values(1, 2, 3), partition=0)
    with open_source(f"kafka://{address}/{topic}") as source:
        assert read_all(source, {"0": 1, "1": 0}, 2)[0] == [2, 3]
    send(address, topic, values(4), partition=0)
    with open_source(f"kafka://{address}/{topic}") as source:
        assert read_all(source, {"0": 3}, 1) == ([4], {"0": 4})


def test_what_was_read_is_read_again_from_an_earlier_position(address, topic):
    """That is what happens when a batch was read and its update did not end."""
    send(address, topic, values(1, 2, 3), partition=1)
    with open_source(f"kafka://{address}/{topic}") as source:
        numbers, position = read_all(source, {}, 3)
        assert (numbers, position) == ([1, 2, 3], {"1": 3})
        assert read_all(source, {"1": 1}, 2) == ([2, 3], {"1": 3})


def test_messages_that_are_no_single_line(address, topic):
    pretty = json.dumps({"n": 1}, indent=2).encode()
    send(address, topic, [pretty, None, b"no\njson"])
    with open_source(f"kafka://{address}/{topic}") as source:
        lines, position = [], {}
        for _ in range(30):
            piece = source.read(position, 10, 1.0)
            if piece is not None:
                lines += piece.lines.splitlines()
                position = piece.position
            if position == {"0": 3}:
                break
    # The empty message is a deletion: it moves the position and is no event.
    assert lines == [b'{"n": 1}', b"no json"]


class TestSettings:
    def test_go_to_the_library(self, tmp_path):
        path = tmp_path / "settings"
        path.write_text(
            "# a stand-in\n\ntest.mock.num.brokers = 1\nallow.auto.create.topics=true\n"
        )
        with open_source("kafka://127.0.0.1:1/events", path) as source:
            assert source.read({}, 10, 0.1) is None

    @pytest.mark.parametrize("content, message", [
        ("sasl.password", "line 1 of .* is no name=value"),
        ("no.such.setting=1", "the settings of the topic events cannot be used"),
    ])  # fmt: skip
    def test_that_cannot_be_used(self, tmp_path, content, message):
        path = tmp_path / "settings"
        path.write_text(content)
        with pytest.raises(UserError, match=message):
            open_source("kafka://127.0.0.1:1/events", path)

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(UserError, match="check --kafka-settings"):
            open_source("kafka://127.0.0.1:1/events", tmp_path / "missing")


class TestMistakes:
    def test_a_topic_that_is_not_there(self, address):
        with pytest.raises(UserError, match="there is no topic missing at"):
            open_source(f"kafka://{address}/missing")

    def test_a_broker_that_is_not_there(self, monkeypatch):
        monkeypatch.setattr("tfrec.updating.sources.kafka.ANSWER_SECONDS", 1.0)
        with pytest.raises(UserError, match="no Kafka broker answers at"):
            open_source(f"kafka://127.0.0.1:{free_port()}/events")

    @pytest.mark.parametrize(
        "address", ["kafka://", "kafka://host:1", "kafka:///t", "kafka://h/a/b"]
    )
    def test_an_address_of_another_form(self, address):
        with pytest.raises(UserError, match="name it as kafka://HOST:PORT/TOPIC"):
            open_source(address)

    def test_events_that_are_gone_are_told_of_and_not_passed_over(self):
        """The stand-in refuses an offset beyond the end, as a topic that was made anew does."""
        settings = {"test.mock.num.brokers": 1, "allow.auto.create.topics": True}
        gone = pytest.raises(UserError, match=r"no longer has the events .* --from-start")
        with KafkaSource("127.0.0.1:1", "events", settings) as source, gone:
            for _ in range(30):
                source.read({"0": 1_000}, 10, 1.0)
