import json
import math

import pytest
from rich.console import Console

from serving.loadtest.summary import OK, Sample, percentile, summarise
from serving.loadtest.table import tables


def sample(due, latency, code=OK, kind="recommend", late=0.0, version=1):
    return Sample(kind, due, late, latency, code, version if code == OK else 0)


def test_percentiles_are_the_nearest_ranks():
    hundred = [float(value) for value in range(1, 101)]
    assert [percentile(hundred, p) for p in (1.0, 50.0, 90.0, 99.0, 99.9)] == [1, 50, 90, 99, 100]
    thousand = [float(value) for value in range(1, 1001)]
    assert percentile(thousand, 99.9) == 999.0
    assert percentile([7.0], 50.0) == 7.0
    assert math.isnan(percentile([], 50.0))


def test_a_summary_worked_by_hand():
    samples = [
        sample(0.0, 9.0),  # Of the warm-up: not counted, however slow.
        sample(1.0, 0.010, late=0.001),
        sample(1.5, 0.030),
        sample(2.0, 0.020, kind="similar", version=2),
        sample(2.5, 0.500, code="UNAVAILABLE"),
    ]
    summary = summarise(samples, since=1.0)
    # From 1.0 s until the last answer at 3.0 s.
    assert summary.seconds == pytest.approx(2.0)
    assert summary.throughput == pytest.approx(3 / 2)
    assert summary.late_p99 == pytest.approx(1.0)
    assert (summary.total.requests, summary.total.errors) == (4, 1)
    assert summary.total.codes == {"OK": 3, "UNAVAILABLE": 1}
    assert summary.total.versions == {1: 2, 2: 1}
    latency = summary.total.latency
    assert (latency.p50, latency.p99, latency.max) == pytest.approx((20.0, 30.0, 30.0))
    assert latency.mean == pytest.approx(20.0)
    assert summary.kinds["similar"].latency.p50 == pytest.approx(20.0)
    assert [(row["second"], row["requests"], row["errors"]) for row in summary.timeline] == [
        (1, 2, 0),
        (2, 2, 1),
    ]


def test_latencies_of_failed_calls_are_left_out_and_absent_ones_are_null_in_json():
    summary = summarise([sample(0.0, 0.001, code="DEADLINE_EXCEEDED")])
    written = json.loads(json.dumps(summary.as_json(), allow_nan=False))
    assert written["total"]["latency"]["p50"] is None
    assert written["throughput"] == 0.0


def test_there_has_to_be_a_sample():
    with pytest.raises(ValueError, match="no sample"):
        summarise([sample(1.0, 0.1)], since=2.0)


def printed(summary):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(tables(summary, "[title]"))
    return capture.get()


def test_the_table_shows_kinds_the_sum_and_errors_by_code():
    shown = printed(
        summarise([sample(0.0, 0.0125), sample(1.0, 0.5, kind="rank"), sample(2.0, 1.0, "EMPTY")])
    )
    assert "[title]" in shown
    rows = [line.split()[:3] for line in shown.splitlines()]
    assert [row for row in rows if row[:1] in (["rank"], ["recommend"], ["all"])] == [
        ["rank", "1", "0"],
        ["recommend", "2", "1"],
        ["all", "3", "1"],
    ]
    assert "12.50" in shown
    assert "errors: 1 EMPTY" in shown
    assert "errors:" not in printed(summarise([sample(0.0, 0.0125)]))
