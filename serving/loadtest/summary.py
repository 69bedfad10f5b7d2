"""What a load test measured: percentiles, throughput and errors, as numbers and as a table."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

OK = "OK"


@dataclass(frozen=True, slots=True)
class Sample:
    """One request.

    Attributes:
        kind: what was asked, such as ``recommend``.
        due: when it was meant to be sent, in seconds from the start of the test.
        late: seconds by which the load generator sent it after that.
        latency: seconds from `due` until the answer was there.
        code: name of the gRPC status, ``OK`` for an answer with a result.
        version: of the model that answered; 0 if there was no answer.
    """

    kind: str
    due: float
    late: float
    latency: float
    code: str
    version: int = 0


@dataclass(frozen=True)
class Latency:
    """Latencies of the requests that were answered, in milliseconds; NaN if none was."""

    p50: float
    p90: float
    p99: float
    p99_9: float
    mean: float
    max: float


@dataclass(frozen=True)
class Group:
    """The requests of one kind, or of all.

    Attributes:
        requests: how many were due.
        errors: how many were not answered with a result.
        codes: requests by gRPC status.
        versions: answered requests by the version of the model.
        latency: of the answered ones.
    """

    requests: int
    errors: int
    codes: Mapping[str, int]
    versions: Mapping[int, int]
    latency: Latency


@dataclass(frozen=True)
class Summary:
    """A load test's result.

    Attributes:
        seconds: from the first request that is counted until the last of them was answered.
        throughput: results a second.
        late_p99: 99th percentile of how late the generator itself sent, in milliseconds.
        total: all requests.
        kinds: the same by kind of call.
        timeline: requests, errors and latencies of each second in which requests were due.
    """

    seconds: float
    throughput: float
    late_p99: float
    total: Group
    kinds: Mapping[str, Group]
    timeline: Sequence[Mapping[str, float]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Returns plain values for `json.dumps`; a latency that does not exist is None."""
        return _without_nan(asdict(self))


def summarise(samples: Sequence[Sample], since: float = 0.0) -> Summary:
    """Sums up the samples due at or after `since` seconds.

    Raises:
        ValueError: if there is none.
    """
    counted = [sample for sample in samples if sample.due >= since]
    if not counted:
        raise ValueError("there is no sample to sum up")
    first = min(sample.due for sample in counted)
    last = max(sample.due + sample.latency for sample in counted)
    total = _group(counted)
    kinds = sorted({sample.kind for sample in counted})
    seconds = max(last - first, 1e-9)
    return Summary(
        seconds=seconds,
        throughput=(total.requests - total.errors) / seconds,
        late_p99=percentile(sorted(sample.late for sample in counted), 99.0) * 1e3,
        total=total,
        kinds={kind: _group([one for one in counted if one.kind == kind]) for kind in kinds},
        timeline=_timeline(counted),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Returns the smallest value that at least `percent` of 100 values do not exceed.

    The nearest-rank definition: always one of the values, so that a p99.9 over few requests is
    their maximum and not a number between two of them.

    Args:
        ordered: rising values; NaN if there is none.
        percent: above 0, up to 100.
    """
    if not ordered:
        return math.nan
    # Rounded first: 99.9 / 100 * 1000 is a little more than 999 in floating point.
    rank = math.ceil(round(percent / 100 * len(ordered), 6))
    return ordered[max(rank, 1) - 1]


def latency_of(samples: Sequence[Sample]) -> Latency:
    """Returns the latencies of those samples that were answered."""
    ordered = sorted(sample.latency * 1e3 for sample in samples if sample.code == OK)
    return Latency(
        p50=percentile(ordered, 50.0),
        p90=percentile(ordered, 90.0),
        p99=percentile(ordered, 99.0),
        p99_9=percentile(ordered, 99.9),
        mean=sum(ordered) / len(ordered) if ordered else math.nan,
        max=percentile(ordered, 100.0),
    )


def _group(samples: Sequence[Sample]) -> Group:
    codes = Counter(sample.code for sample in samples)
    return Group(
        requests=len(samples),
        errors=len(samples) - codes[OK],
        codes=dict(codes.most_common()),
        versions=dict(sorted(Counter(one.version for one in samples if one.code == OK).items())),
        latency=latency_of(samples),
    )


def _timeline(samples: Sequence[Sample]) -> list[Mapping[str, float]]:
    by_second: dict[int, list[Sample]] = {}
    for sample in samples:
        by_second.setdefault(int(sample.due), []).append(sample)
    rows: list[Mapping[str, float]] = []
    for second, those in sorted(by_second.items()):
        latency = latency_of(those)
        rows.append(
            {
                "second": second,
                "requests": len(those),
                "errors": sum(one.code != OK for one in those),
                "p50": latency.p50,
                "p99": latency.p99,
                "max": latency.max,
            }
        )
    return rows


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
