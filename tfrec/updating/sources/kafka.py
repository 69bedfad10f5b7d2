"""Events in a Kafka topic: one JSON object a message."""

import json
import time
from pathlib import Path
from typing import Any

from tfrec.errors import UserError
from tfrec.updating.sources.source import Piece, Position, Source

try:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
    from confluent_kafka import TopicPartition as Partition
except ImportError as error:
    raise UserError(
        "following a Kafka topic needs the library confluent-kafka; install it with "
        "`pip install 'tfrec[kafka]'`"
    ) from error

ANSWER_SECONDS = 10.0
LOOK_SECONDS = 0.2
PARTITIONS_AGAIN_SECONDS = 60.0
"""How often partitions are looked for that were added to the topic."""
_GONE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_PASSING = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
)


class KafkaSource(Source):
    """All partitions of a topic, from the offsets that the reader names.

    No offset is committed to the broker and no consumer group is joined: the position is kept with
    what was made of the events. While no broker answers it waits.

    Args:
        servers: ``HOST:PORT``, several with commas.
        topic: the topic.
        settings: further ones of librdkafka, such as those of TLS.

    Raises:
        UserError: if no broker answers, or there is no such topic.
    """

    def __init__(self, servers: str, topic: str, settings: dict[str, Any] | None = None) -> None:
        self.name = f"topic {topic}"
        self._topic = topic
        self._servers = servers
        library = {
            "bootstrap.servers": servers,
            # Asked for by the library; without commits and subscriptions it is never used.
            "group.id": "tfrec",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            # Events that are gone are told of, not passed over.
            "auto.offset.reset": "error",
            "log_level": 2,
            **(settings or {}),
        }
        try:
            self._consumer = Consumer(library)
        except KafkaException as error:
            raise UserError(
                f"the settings of the topic {topic} cannot be used ({error.args[0].str()}); see "
                "librdkafka's list of settings"
            ) from error
        self._assigned: Position = {}
        self._ended: set[str] = set()
        self._looked = time.monotonic()
        self._partitions = self._look()

    @classmethod
    def of_address(cls, address: str, settings: Path | None = None) -> "KafkaSource":
        """Returns the source of ``kafka://HOST:PORT[,HOST:PORT…]/TOPIC``.

        Args:
            address: the address.
            settings: file of further settings, ``name=value`` a line.

        Raises:
            UserError: if the address has another form, or see above.
        """
        servers, _, topic = address.removeprefix("kafka://").partition("/")
        if not servers or not topic or "/" in topic:
            raise UserError(f"{address} is no topic; name it as kafka://HOST:PORT/TOPIC")
        return cls(servers, topic, None if settings is None else read_settings(settings))

    def read(self, position: Position, most: int, wait: float) -> Piece | None:
        """Returns the next messages; see `Source.read`."""
        self._look_again()
        wanted = {number: position.get(number, OFFSET_BEGINNING) for number in self._partitions}
        if wanted != self._assigned:
            self._consumer.assign(
                [Partition(self._topic, int(number), offset) for number, offset in wanted.items()]
            )
            self._assigned = wanted
            self._ended = set()
        until = time.monotonic() + (wait or ANSWER_SECONDS)
        while (left := until - time.monotonic()) > 0:
            piece = self._consume(position, most, min(left, wait or LOOK_SECONDS))
            if piece is not None:
                return piece
            if not wait and self._ended >= set(self._partitions):
                return None
        return None

    def _consume(self, position: Position, most: int, seconds: float) -> Piece | None:
        try:
            messages = self._consumer.consume(max(1, most), timeout=seconds)
        except KafkaException as error:
            raise self._error(str(error)) from error
        reached = dict(position)
        lines = []
        for message in messages:
            failure, offset, number = message.error(), message.offset(), str(message.partition())
            if failure is not None or offset is None:
                self._judge(failure, number)
                continue
            reached[number] = offset + 1
            self._ended.discard(number)
            value = message.value()
            # An empty message is a deletion in a compacted topic, and no event.
            if value:
                lines.append(_one_line(value))
        if reached == position:
            return None
        if self._assigned:
            self._assigned = {**self._assigned, **reached}
        return Piece(reached, len(lines), lines=b"".join(lines))

    def close(self) -> None:
        """Closes the connections."""
        self._consumer.close()

    def _look_again(self) -> None:
        if time.monotonic() - self._looked < PARTITIONS_AGAIN_SECONDS:
            return
        self._looked = time.monotonic()
        try:
            self._partitions = self._look()
        except UserError:
            return  # No broker answers just now; those that were there are still read.

    def _look(self) -> list[str]:
        """Returns the partitions of the topic."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise UserError(
                f"no Kafka broker answers at {self._servers} "
                f"({error.args[0].str()}); check host and port, and that it runs"
            ) from error
        topic = found.topics[self._topic]
        if topic.error is not None or not topic.partitions:
            raise UserError(
                f"there is no topic {self._topic} at {self._servers}; create it, or check its name"
            )
        return [str(number) for number in sorted(topic.partitions)]

    def _judge(self, error: KafkaError | None, number: str) -> None:
        """Notes the end of a partition, and raises what will not pass by itself.

        Raises:
            UserError: saying what it is.
        """
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            self._ended.add(number)
            return
        # Whoever goes on after an error gets what came with it again.
        self._assigned = {}
        if error.code() in _GONE:
            raise UserError(
                f"the topic {self._topic} no longer has the events that come next "
                f"({error.str()}); they were deleted, or the topic was made anew: go on with the "
                "oldest event there with --from-start (what is known is left out)"
            )
        if error.code() not in _PASSING and not error.retriable():
            raise self._error(error.str())

    def _error(self, reason: str) -> UserError:
        return UserError(
            f"the topic {self._topic} at {self._servers} cannot be read ({reason}); see what the "
            "broker's log says"
        )


def read_settings(path: Path) -> dict[str, str]:
    """Reads settings of librdkafka: ``name=value`` a line; ``#`` begins a comment.

    Raises:
        UserError: if the file cannot be read, or a line has another form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the settings in {path} cannot be read; check --kafka-settings") from error
    settings = {}
    for number, line in enumerate(lines, start=1):
        name, equals, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals:
            # Not the line itself, which may hold a password.
            raise UserError(f"line {number} of {path} is no name=value; write one setting a line")
        settings[name.strip()] = value.strip()
    return settings


def _one_line(value: bytes) -> bytes:
    """Returns a message as one line, even if its JSON is written in several."""
    if b"\n" not in value.strip():
        return value.strip() + b"\n"
    try:
        return json.dumps(json.loads(value)).encode() + b"\n"
    except ValueError:
        # No JSON: a line that whoever reads it rejects.
        return b" ".join(value.split()) + b"\n"
