"""Files are whole or absent: under exceptions, kills, full disks and missing permissions."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tfrec.errors import UserError
from tfrec.files import (
    SECONDS_UNTIL_STALE,
    atomic_file,
    atomic_folder,
    check_writable,
    disk_errors_as_user_errors,
    is_disk_full,
    read_json,
    sha256_of_file,
    write_json,
)

FULL_DEVICE = Path("/dev/full")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def kill_when_writing(tmp_path: Path, context: str, write: str) -> None:
    """Runs a process that opens `context`, writes, and is killed before the block ends."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tfrec.files import atomic_file, atomic_folder\n"
        f"with {context} as temporary:\n"
        f"    {write}\n"
        "    print('written', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)


class TestAtomicFile:
    def test_replaces_the_file_when_the_block_ends(self, tmp_path):
        path = tmp_path / "deep" / "file.txt"
        for content in ("first", "second"):
            with atomic_file(path) as temporary:
                temporary.write_text(content)
                assert not path.exists() or path.read_text() == "first"
            assert path.read_text() == content
        assert names(path.parent) == ["file.txt"]
        assert path.stat().st_mode & 0o777 == 0o644

    def test_keeps_the_old_file_when_the_block_fails(self, tmp_path):
        path = tmp_path / "file.txt"
        path.write_text("old")
        with pytest.raises(RuntimeError), atomic_file(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError
        assert path.read_text() == "old"
        assert names(tmp_path) == ["file.txt"]

    def test_keeps_the_old_file_when_killed_and_clears_up_later(self, tmp_path):
        path = tmp_path / "file.txt"
        path.write_text("old")
        kill_when_writing(tmp_path, "atomic_file('file.txt')", "temporary.write_text('new')")
        assert path.read_text() == "old"
        (leftover,) = tmp_path.glob(".file.txt.*.part")

        write_json(path, "fresh")  # Another process might be writing: young leftovers stay.
        assert leftover.exists()
        long_ago = time.time() - SECONDS_UNTIL_STALE - 1
        os.utime(leftover, (long_ago, long_ago))
        write_json(path, "fresh")
        assert names(tmp_path) == ["file.txt"]

    def test_refuses_a_folder_in_the_way(self, tmp_path):
        with (
            pytest.raises(UserError, match="it is a folder; choose another path"),
            atomic_file(tmp_path),
        ):
            pass

    def test_refuses_a_file_on_the_way(self, tmp_path):
        (tmp_path / "file").touch()
        with (
            pytest.raises(UserError, match="a folder on the way to it is a file"),
            atomic_file(tmp_path / "file" / "below" / "name"),
        ):
            pass


class TestAtomicFolder:
    def test_replaces_the_folder_as_a_whole(self, tmp_path):
        path = tmp_path / "data"
        for name in ("one", "two"):
            with atomic_folder(path) as temporary:
                (temporary / name).touch()
            assert names(path) == [name]
        assert names(tmp_path) == ["data"]
        assert path.stat().st_mode & 0o777 == 0o755

    def test_keeps_the_old_folder_when_the_block_fails(self, tmp_path):
        path = tmp_path / "data"
        path.mkdir()
        (path / "old").touch()
        with pytest.raises(RuntimeError), atomic_folder(path) as temporary:
            (temporary / "new").touch()
            raise RuntimeError
        assert names(path) == ["old"]
        assert names(tmp_path) == ["data"]

    def test_keeps_the_old_folder_when_killed_and_clears_up(self, tmp_path):
        path = tmp_path / "data"
        path.mkdir()
        (path / "old").touch()
        kill_when_writing(tmp_path, "atomic_folder('data')", "(temporary / 'new').touch()")
        assert names(path) == ["old"]
        assert len(names(tmp_path)) == 2

        with atomic_folder(path) as temporary:
            (temporary / "new").touch()
        assert names(path) == ["new"]
        assert names(tmp_path) == ["data"]

    @pytest.mark.parametrize("fails", [True, False])
    def test_puts_the_old_folder_back_when_killed_between_the_two_renames(self, tmp_path, fails):
        for name, content in (("retired_", "old"), ("abcd1234", "new")):
            leftover = tmp_path / f".data.{name}.part"
            leftover.mkdir()
            (leftover / content).touch()
        path = tmp_path / "data"
        with contextlib.suppress(RuntimeError), atomic_folder(path) as temporary:
            assert names(path) == ["old"]
            (temporary / "newer").touch()
            if fails:
                raise RuntimeError
        assert names(path) == ["old" if fails else "newer"]
        assert names(tmp_path) == ["data"]

    def test_a_retired_folder_never_takes_the_place_of_a_new_one(self, tmp_path):
        """A kill after the second rename leaves both."""
        for name in (".data.retired_.part", "data"):
            (tmp_path / name).mkdir()
        (tmp_path / "data" / "new").touch()
        with pytest.raises(RuntimeError), atomic_folder(tmp_path / "data"):
            raise RuntimeError
        assert names(tmp_path / "data") == ["new"]
        assert names(tmp_path) == ["data"]

    def test_leaves_the_leftovers_of_its_neighbours(self, tmp_path):
        """A process may be writing `data.v2` or `data[1]` while `data` is written."""
        neighbour = tmp_path / ".data.v2.abcd1234.part"
        neighbour.mkdir()
        with atomic_folder(tmp_path / "data"):
            pass
        assert neighbour.is_dir()
        with atomic_folder(tmp_path / "data.v2"):
            pass
        assert not neighbour.exists()

    def test_refuses_a_file_in_the_way(self, tmp_path):
        path = tmp_path / "precious"
        path.write_text("mine")
        with pytest.raises(UserError, match="it is a file; choose another"), atomic_folder(path):
            pass
        assert path.read_text() == "mine"


class TestFullDisk:
    def test_folder_on_a_full_disk(self, tiny_disk):
        with pytest.raises(UserError) as raised, atomic_folder(tiny_disk / "data") as temporary:
            (temporary / "small").write_bytes(b"x" * 1024)
            (temporary / "big").write_bytes(b"x" * 1024 * 1024)
        assert str(raised.value) == (
            f"no space left on the disk while writing {tiny_disk / 'data'}; free some space and "
            "run the same command again (nothing half-written was kept)"
        )
        assert names(tiny_disk) == []

    def test_file_on_a_full_disk_keeps_the_old_one(self, tiny_disk):
        write_json(tiny_disk / "file.json", "old")
        with pytest.raises(UserError, match="no space left on the disk while writing"):
            write_json(tiny_disk / "file.json", "x" * 1024 * 1024)
        assert read_json(tiny_disk / "file.json") == "old"
        assert names(tiny_disk) == ["file.json"]

    def test_tensorflow_writer_on_a_full_disk(self, tiny_disk):
        import tensorflow as tf

        path = tiny_disk / "records"
        with (
            pytest.raises(UserError, match="no space left on the disk while writing"),
            disk_errors_as_user_errors(path),
            tf.io.TFRecordWriter(str(path)) as writer,
        ):
            for _ in range(100):
                writer.write(b"x" * 4096)
                writer.flush()

    def test_arrow_writer_on_a_full_disk(self, tiny_disk):
        import numpy as np
        import pandas as pd

        path = tiny_disk / "table.parquet"
        frame = pd.DataFrame({"column": np.random.default_rng(0).normal(size=100_000)})
        with (
            pytest.raises(UserError, match="no space left on the disk while writing"),
            disk_errors_as_user_errors(path),
        ):
            frame.to_parquet(path)

    @pytest.mark.skipif(not FULL_DEVICE.exists(), reason="needs /dev/full")
    def test_full_device(self, tmp_path):
        with (
            pytest.raises(UserError, match="no space left on the disk"),
            disk_errors_as_user_errors(tmp_path / "file"),
            FULL_DEVICE.open("wb", buffering=0) as file,
        ):
            file.write(b"x")

    def test_other_errors_are_not_taken_for_a_full_disk(self, tmp_path):
        assert not is_disk_full(OSError(errno.EIO, "Input/output error"))
        assert not is_disk_full(ValueError("no space for improvement"))
        with pytest.raises(OSError, match="Input/output"), atomic_file(tmp_path / "file"):
            raise OSError(errno.EIO, "Input/output error")


class TestPermissions:
    def test_forbidden_target_is_the_users_to_mend(self, tmp_path):
        path = tmp_path / "file"
        with pytest.raises(UserError, match=r"not allowed to write .*; choose"), atomic_file(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "file.x"))

    def test_forbidden_input_is_not_blamed_on_the_target(self, tmp_path):
        with pytest.raises(PermissionError), atomic_file(tmp_path / "out" / "file"):
            raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/input.csv")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_read_only_folder(self, tmp_path):
        tmp_path.chmod(0o555)
        with contextlib.ExitStack() as stack:
            stack.callback(tmp_path.chmod, 0o755)
            stack.enter_context(pytest.raises(UserError, match="not allowed to write"))
            write_json(tmp_path / "file.json", 1)


class TestCheckWritable:
    def test_makes_nothing(self, tmp_path):
        check_writable(tmp_path / "new" / "folder" / "file.json")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "file.json").write_text("old")
        check_writable(tmp_path / "file.json")
        assert (tmp_path / "file.json").read_text() == "old"

    def test_says_what_is_in_the_way(self, tmp_path):
        (tmp_path / "taken").touch()
        with pytest.raises(UserError, match=r"a folder on the way to it is a file"):
            check_writable(tmp_path / "taken" / "file.json")
        with pytest.raises(UserError, match=r"it is a folder; choose another path"):
            check_writable(tmp_path)

    def test_says_what_is_forbidden(self, tmp_path, monkeypatch):
        # Whoever runs the tests may be allowed to write everywhere, so the refusal is made up.
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(UserError, match=r"not allowed to write .*file\.json; choose a folder"):
            check_writable(tmp_path / "file.json")


class TestJson:
    def test_round_trip_keeps_order_and_letters(self, tmp_path):
        value = {"b": [1, 2.5, None, True], "a": "naïve 手表"}
        write_json(tmp_path / "file.json", value)
        assert read_json(tmp_path / "file.json") == value
        assert list(read_json(tmp_path / "file.json")) == ["b", "a"]
        assert "naïve 手表" in (tmp_path / "file.json").read_text(encoding="utf-8")

    def test_not_a_number_is_refused_and_nothing_written(self, tmp_path):
        with pytest.raises(ValueError):
            write_json(tmp_path / "file.json", float("nan"))
        assert names(tmp_path) == []

    def test_missing_file(self, tmp_path):
        with pytest.raises(UserError, match=r"^there is no file .*none\.json$"):
            read_json(tmp_path / "none.json")

    def test_folder(self, tmp_path):
        with pytest.raises(UserError, match="cannot be read: Is a directory"):
            read_json(tmp_path)

    @pytest.mark.parametrize("content", [b'{"a": 1', b"", b"\xff\xfe{"])
    def test_half_copied_file(self, tmp_path, content):
        (tmp_path / "half.json").write_bytes(content)
        with pytest.raises(UserError, match=r"half\.json is not valid JSON .*half-copied"):
            read_json(tmp_path / "half.json")


def test_checksum_is_sha256(tmp_path):
    """The digest of "abc" from FIPS 180-2, appendix B.1."""
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "file") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_written_json_is_for_people(tmp_path):
    write_json(tmp_path / "file.json", {"a": [1]})
    text = (tmp_path / "file.json").read_text()
    assert text.endswith("}\n") and json.loads(text) == {"a": [1]} and "\n  " in text
