"""A child whose log is read to its end, whatever becomes of our own stderr."""

import errno
import io
import os
import sys

import pytest

from serving.child_process import ChildProcess

LINES = 2000
# More than the pipe holds, so that the child waits where nobody reads.
TALK = f"import sys; [print('x' * 100, file=sys.stderr) for _ in range({LINES})]"


class Heard(ChildProcess):
    """Counts the lines that it reads."""

    lines = 0

    def _heard(self, line):
        self.lines += 1
        return True


class FullDisk(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullAtFlush(io.StringIO):
    def flush(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [FullDisk, FullAtFlush, closed])
def test_a_stderr_that_takes_nothing_does_not_stop_the_child(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    with Heard([sys.executable, "-c", TALK], stdout=False, forward_log=True) as child:
        assert child.process.wait(60) == 0
        child._reader.join(60)
    assert child.lines == LINES
