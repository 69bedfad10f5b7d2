"""An update that is killed at random moments ends like one that is not."""

import itertools
import json
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tfrec.export.versions import MODELS, versions_of

KILLS = 12
LONGEST_SECONDS = 40.0
GIVES_UP_SECONDS = 600.0


@pytest.mark.slow
def test_killed_at_random_moments(shop, updated_shop, tmp_path):
    """Moments lie anywhere from the start of Python to the end; the seed is fixed, the load not."""
    copy = shop.copy(tmp_path / "copy")
    arguments = [sys.executable, "-m", "pipelines.update", "--json"]
    arguments += ["--events", str(copy.batch(1)), "--items", str(copy.folder / "new.parquet")]
    arguments += ["--models", str(copy.models), "--state", str(copy.state)]
    arguments += ["--run", str(copy.folder / "run")]
    moments = random.Random(7)
    for kill in itertools.count():
        process = subprocess.Popen(
            arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait = moments.uniform(0, LONGEST_SECONDS) if kill < KILLS else GIVES_UP_SECONDS
        started = time.monotonic()
        try:
            out, err = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert time.monotonic() - started < GIVES_UP_SECONDS, "the update does not end"
            continue
        assert process.returncode == 0, err
        entry = json.loads(out)
        break
    whole = updated_shop[1].entry
    assert entry["outcome"] == whole.outcome == "published"
    assert entry["batch"] == whole.batch
    for name in MODELS:
        assert list(versions_of(copy.models / name))[1:] == [entry["version"]]
    figures, expected = (
        {check["name"]: check["challenger"] for check in each["checks"]}
        for each in (entry["verdict"], whole.verdict)
    )
    assert figures["NDCG@5, all shoppers"] == pytest.approx(
        expected["NDCG@5, all shoppers"], abs=0.05
    )
