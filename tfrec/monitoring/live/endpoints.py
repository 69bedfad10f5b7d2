"""What a model server's or a gateway's metrics page says, as figures for TensorBoard."""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from tfrec.monitoring.live.counters import CounterWatch, Growth, percentile
from tfrec.monitoring.live.fetching import Fetched
from tfrec.monitoring.live.metrics_page import Buckets, Series, read_page

REQUEST_COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"
QUEUING_LATENCY = ":tensorflow:serving:batching_session:queuing_latency"
BATCH_RUNS = ":tensorflow:serving:batching_session:wrapped_run_count"
MICROSECONDS_PER_MILLISECOND = 1000.0
# Some batchers of TensorFlow show histograms of sizes, whose names end so.
BATCH_SIZES = "batch_size"
GATEWAY_PREFIX = "tfrec_gateway_"
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

Scalars = dict[str, float]
Histograms = dict[str, tuple[np.ndarray, np.ndarray]]


class Endpoint:
    """Follows one metrics page.

    Args:
        name: the first part of every tag, such as `server`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._watch = CounterWatch()

    def look(self, fetched: Fetched, seconds: float) -> tuple[Scalars, Histograms, str]:
        """Returns the figures since the last look.

        Args:
            fetched: the page, or why there is none.
            seconds: a clock that never goes back.

        Returns:
            Scalars, histograms, and what is wrong with the endpoint ("" if nothing is).
        """
        scalars = {f"{self.name}/up": 0.0, f"{self.name}/scrape_seconds": fetched.seconds}
        if fetched.error:
            return scalars, {}, fetched.error
        try:
            page = read_page(fetched.text)
        except ValueError as error:
            return scalars, {}, f"what it shows is no metrics page ({error})"
        if not (page.counters or page.gauges or page.histograms):
            return scalars, {}, "its metrics page is empty"
        scalars[f"{self.name}/up"] = 1.0
        growth = self._watch.look(page, seconds)
        if growth is None:
            return scalars, {}, ""
        scalars[f"{self.name}/counter_resets"] = float(growth.resets)
        found, histograms = _figures(growth, self.name)
        return scalars | found, histograms, ""


def _figures(growth: Growth, name: str) -> tuple[Scalars, Histograms]:
    scalars: defaultdict[str, float] = defaultdict(float)
    requests: defaultdict[str, float] = defaultdict(float)
    failures: defaultdict[str, float] = defaultdict(float)
    for series, gained in growth.counters.items():
        if series.name == REQUEST_COUNT:
            model, status = series.label("model_name"), series.label("status") or "OK"
            requests[model] += gained
            failures[model] += gained * (status != "OK")
            scalars[f"{name}/requests_per_second/{model}/{status}"] += gained / growth.seconds
        elif series.name.startswith(GATEWAY_PREFIX):
            tag = "/".join([name, _short(series.name), *(value for _, value in series.labels)])
            scalars[f"{tag}/per_second"] += gained / growth.seconds
    tasks = sum(
        gained.count
        for series, gained in growth.histograms.items()
        if series.name == QUEUING_LATENCY
    )
    runs = growth.counters.get(Series(BATCH_RUNS), 0.0)
    if runs:
        # Every request waits once, and every batch is one run.
        scalars[f"{name}/batch_size/mean"] = tasks / runs
    for model, count in requests.items():
        scalars[f"{name}/requests_per_second/{model}"] = count / growth.seconds
        if count:
            scalars[f"{name}/error_share/{model}"] = failures[model] / count
    histograms: Histograms = {}
    for tag, unit, buckets in _latencies(growth, name):
        if buckets.count:
            for label, share in PERCENTILES.items():
                scalars[f"{tag}/{label}"] = percentile(buckets, share) / unit
            histograms[tag] = _histogram(buckets, unit)
    return dict(scalars), histograms


def _latencies(growth: Growth, name: str) -> Iterable[tuple[str, float, Buckets]]:
    """Returns tag, divisor and histogram; those of one model and name are added up."""
    together: dict[tuple[str, float], Buckets] = {}
    for series, buckets in growth.histograms.items():
        model = series.label("model_name")
        if series.name in (REQUEST_LATENCY, RUNTIME_LATENCY):
            short = series.name.removeprefix(":tensorflow:serving:")
            key = (f"{name}/{short}_ms/{model}", MICROSECONDS_PER_MILLISECOND)
        elif series.name == QUEUING_LATENCY:
            pool = series.label("thread_pool_name")
            key = (f"{name}/queuing_latency_ms/{pool}", MICROSECONDS_PER_MILLISECOND)
        elif series.name.endswith(BATCH_SIZES):
            key = (f"{name}/batch_size/{model}".rstrip("/"), 1.0)
        elif series.name.startswith(GATEWAY_PREFIX):
            labels = [value for _, value in series.labels]
            key = ("/".join([name, _short(series.name), *labels]), 1.0)
        else:
            continue
        present = together.get(key)
        if present is None or present.bounds == buckets.bounds:
            together[key] = _sum(present, buckets)
    return [(tag, unit, buckets) for (tag, unit), buckets in together.items()]


def _sum(present: Buckets | None, buckets: Buckets) -> Buckets:
    if present is None:
        return buckets
    counts = tuple(a + b for a, b in zip(present.counts, buckets.counts, strict=True))
    return Buckets(buckets.bounds, counts, present.total + buckets.total)


def _short(name: str) -> str:
    return name.removeprefix(GATEWAY_PREFIX)


def _histogram(buckets: Buckets, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns edges and counts of the buckets from the first to the last one with a count."""
    counts = np.array(buckets.counts)
    finite = [bound for bound in buckets.bounds if bound < math.inf]
    # The open bucket has no upper edge to draw; it is drawn as a point at its lower one.
    edges = np.array([0.0, *finite, finite[-1] if finite else 0.0]) / unit
    used = np.flatnonzero(counts)
    return edges[used[0] : used[-1] + 2], counts[used[0] : used[-1] + 1]
