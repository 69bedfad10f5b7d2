import pytest
import tensorflow as tf

from serving.server.statuses import Code, ServingError
from serving.server.warmup import masked_crc32c, read_records


def test_crc_has_the_published_check_value():
    # CRC-32C of "123456789" is e3069283; the mask rotates right by 15 and adds a282ead8.
    rotated = (0xE3069283 >> 15 | 0xE3069283 << 17) & 0xFFFFFFFF
    assert masked_crc32c(b"123456789") == (rotated + 0xA282EAD8) % 2**32


def test_records_of_tensorflow_are_read(tmp_path):
    path = tmp_path / "records"
    records = [b"", b"one", bytes(range(256)) * 5]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    assert list(read_records(path)) == records


@pytest.mark.parametrize("damage", ["cut", "flipped", "cut header"])
def test_damage_is_noticed(tmp_path, damage):
    path = tmp_path / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"a record")
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[13] ^= 1
    path.write_bytes(data[:-1] if damage == "cut" else data[:7] if "header" in damage else data)
    with pytest.raises(ServingError, match="corrupted record at 0") as caught:
        list(read_records(path))
    assert caught.value.code == Code.DATA_LOSS
