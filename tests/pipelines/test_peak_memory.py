"""The peak of a block is measured, not that of the process's whole life."""

import mmap
import subprocess
import sys

import pytest

from pipelines.peak_memory import PeakMemory

MEBIBYTE = 2**20


def touch(mebibytes):
    # Fresh pages: what Python allocates may lie in memory that earlier tests have freed.
    block = mmap.mmap(-1, mebibytes * MEBIBYTE)
    for _ in range(mebibytes):
        block.write(b"x" * MEBIBYTE)
    return block


def test_memory_freed_before_the_end_counts():
    with PeakMemory() as idle:
        pass
    with PeakMemory() as busy:
        touch(200).close()
    assert busy.peak - idle.peak == pytest.approx(200 * MEBIBYTE, rel=0.15)


def test_memory_of_earlier_blocks_does_not_count():
    with PeakMemory() as busy:
        touch(200).close()
    with PeakMemory() as idle:
        pass
    assert busy.peak - idle.peak > 150 * MEBIBYTE


def test_children_count():
    program = "import time; block = b'x' * (200 * 2**20); time.sleep(1)"
    with PeakMemory() as idle:
        pass
    with PeakMemory() as busy:
        subprocess.run([sys.executable, "-c", program], check=True)
    assert busy.peak - idle.peak > 190 * MEBIBYTE
