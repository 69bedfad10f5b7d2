"""Warm-up records: requests that a version answers before its first client comes."""

import struct
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from serving import wire
from serving.server.examples import classify, multi_inference, regress
from serving.server.predict import predict
from serving.server.servable import Servable
from serving.server.statuses import Code, ServingError

RECORDS = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_RECORDS = 1000
_CALLS = {
    "predict_log": predict,
    "classify_log": classify,
    "regress_log": regress,
    "multi_inference_log": multi_inference,
}


def warm_up(servable: Servable, folder: Path, iterations: int = 1) -> int:
    """Runs every record in a version's folder, so that graphs are optimised before use.

    Args:
        servable: the version; requests should run by themselves.
        folder: its folder.
        iterations: how often each record runs.

    Returns:
        The number of records.

    Raises:
        ServingError: if a record cannot be read or run, or there are more than 1,000.
    """
    path = folder / RECORDS
    if not path.exists():
        return 0
    count = 0
    for record in read_records(path):
        count += 1
        if count > MAX_RECORDS:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}",
            )
        try:
            log = wire.PredictionLog.FromString(record)
        except DecodeError as error:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Failed to parse warmup record: record {count} of {path} is no PredictionLog",
            ) from error
        kind = log.WhichOneof("log_type")
        if kind not in _CALLS:
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
        for _ in range(iterations):
            _CALLS[kind](servable, getattr(log, kind).request)
    return count


def read_records(path: Path) -> Iterator[bytes]:
    """Yields the records of a TFRecord file, their checksums verified.

    The layout: length (uint64), its masked CRC-32C, the data, its masked CRC-32C, all little
    endian.

    Raises:
        ServingError: DATA_LOSS if the file is cut off or altered.
    """
    with path.open("rb") as file:
        while header := file.read(12):
            offset = file.tell() - len(header)
            lost = ServingError(Code.DATA_LOSS, f"corrupted record at {offset} in {path}")
            if len(header) < 12:
                raise lost
            length, length_crc = struct.unpack("<QI", header)
            if masked_crc32c(header[:8]) != length_crc:
                raise lost
            data, footer = file.read(length), file.read(4)
            if len(data) < length or footer != struct.pack("<I", masked_crc32c(data)):
                raise lost
            yield data


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC_TABLE = _crc_table()


def masked_crc32c(data: bytes) -> int:
    """Returns the CRC-32C (Castagnoli) of `data`, rotated and offset as TFRecord files do."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
