"""What Prometheus reads: the official server's metrics, by its names."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from serving.server.statuses import Code

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_PREFIX = ":tensorflow:serving:"
_REQUEST_COUNT = f"{_PREFIX}request_count"
_BATCH_RUNS = f"{_PREFIX}batching_session:wrapped_run_count"
MICROSECONDS = 1e6


def exponential_buckets(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """Returns `count` upper bounds, from `scale` on, each `growth` times the one before."""
    return tuple(scale * growth**power for power in range(count))


# The official buckets, in microseconds.
_LATENCY_BUCKETS = exponential_buckets(10, 1.8, 33)
_QUEUING_BUCKETS = exponential_buckets(100, 1.2, 52)


class Metrics:
    """Counts and times of requests; every method may be called by any thread."""

    def __init__(self) -> None:
        # Times of creation are no part of the official page.
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._request_count = Counter(
            _REQUEST_COUNT,
            "Number of requests.",
            ("model_name", "status"),
            registry=self._registry,
        )
        self._request_latency = self._histogram(
            "request_latency", "Time of a request.", ("model_name", "API", "entrypoint")
        )
        self._runtime_latency = self._histogram(
            "runtime_latency", "Time of a run of the graph.", ("model_name", "API", "runtime")
        )
        self._warmup_latency = self._histogram(
            "model_warmup_latency", "Time of a version's warm-up.", ("model_path", "status")
        )
        self._queuing_latency = Histogram(
            f"{_PREFIX}batching_session:queuing_latency",
            "Time that a request waited for its batch.",
            ("thread_pool_name",),
            registry=self._registry,
            buckets=_QUEUING_BUCKETS,
        )
        self._batch_runs = Counter(
            _BATCH_RUNS, "Number of runs of batches.", registry=self._registry
        )

    def _histogram(self, name: str, what: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(
            f"{_PREFIX}{name}", what, labels, registry=self._registry, buckets=_LATENCY_BUCKETS
        )

    def request(self, model: str, call: str, entrypoint: str, code: Code, seconds: float) -> None:
        """Notes an answered request; its time counts if it succeeded."""
        self._request_count.labels(model, code.name).inc()
        if code == Code.OK:
            latency = self._request_latency.labels(model, call, entrypoint)
            latency.observe(seconds * MICROSECONDS)

    def run(self, model: str, call: str, seconds: float) -> None:
        """Notes a run of a graph."""
        self._runtime_latency.labels(model, call, "TF1").observe(seconds * MICROSECONDS)

    def warm_up(self, path: str, code: Code, seconds: float) -> None:
        """Notes the warm-up of the version in the folder `path`."""
        self._warmup_latency.labels(path, code.name).observe(seconds * MICROSECONDS)

    def wait(self, thread_pool: str, seconds: float) -> None:
        """Notes how long a request waited for its batch."""
        self._queuing_latency.labels(thread_pool).observe(seconds * MICROSECONDS)

    def run_of_batch(self) -> None:
        """Notes a run of a graph for all requests of a batch."""
        self._batch_runs.inc()

    def page(self) -> bytes:
        """Returns all metrics in Prometheus's text format."""
        page = generate_latest(self._registry)
        # The library calls every counter NAME_total; the official server does not.
        for name in (_REQUEST_COUNT, _BATCH_RUNS):
            page = page.replace(f"{name}_total".encode(), name.encode())
        return page
