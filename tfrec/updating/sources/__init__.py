"""Sources of events: a folder that files arrive in, or a Kafka topic."""

from pathlib import Path

from tfrec.updating.sources.directory import DirectorySource
from tfrec.updating.sources.source import LINES, Piece, Position, Source

KAFKA = "kafka://"

__all__ = ["LINES", "DirectorySource", "Piece", "Position", "Source", "open_source"]


def open_source(address: str, settings: Path | None = None) -> Source:
    """Returns the source of an address.

    Args:
        address: ``kafka://HOST:PORT[,HOST:PORT…]/TOPIC``, or a folder.
        settings: a topic's file of librdkafka settings, ``name=value`` a line.

    Raises:
        UserError: if it cannot be used.
    """
    if address.startswith(KAFKA):
        # Only here: the client library is an extra.
        from tfrec.updating.sources.kafka import KafkaSource

        return KafkaSource.of_address(address, settings)
    return DirectorySource(address)
