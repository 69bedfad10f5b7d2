"""What the gateway counts, in Prometheus' terms."""

import collections
import threading
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# Labels that callers choose are bounded, or anyone could fill the memory with them.
MOST_LABELS = 50
OTHER = "other"
WINDOW = 10_000
TOP = 10
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class GatewayMetrics:
    """Counters and gauges of one gateway, in a registry of their own."""

    def __init__(self) -> None:
        """Makes every metric; those without labels begin at 0."""
        self.registry = CollectorRegistry()
        self._versions = BoundedLabels(MOST_LABELS)
        self._kinds = BoundedLabels(MOST_LABELS)
        self._window = ServedWindow(WINDOW)
        self.requests = Counter(
            "tfrec_gateway_requests",
            "Requests by method and gRPC status code.",
            ("method", "code"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "tfrec_gateway_request_seconds",
            "Time from a request to its answer.",
            ("method",),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._recommendations = self._by_version(
            "recommendations", "Recommendations served, each a list of items."
        )
        self._items = self._by_version("served_items", "Items served in recommendations.")
        self._empty = self._by_version(
            "empty_histories", "Recommendations served without any event of the shopper."
        )
        self._degraded = self._by_version(
            "degraded", "Recommendations served while the history store did not answer."
        )
        self._history_items = self._by_version(
            "history_items", "Items of histories whose being known was looked up."
        )
        self._unknown_items = self._by_version(
            "unknown_items", "Those of them that the model does not know."
        )
        self._events = Counter(
            "tfrec_gateway_events",
            "Events recorded, by kind and by the version that recommended the item.",
            ("event", "model_version"),
            registry=self.registry,
        )
        self.log_failures = Counter(
            "tfrec_gateway_event_log_failures",
            "Times that the event log could not be written.",
            registry=self.registry,
        )
        self.history_failures = Counter(
            "tfrec_gateway_history_failures",
            "Times that the history store did not answer.",
            registry=self.registry,
        )
        Gauge(
            "tfrec_gateway_distinct_items",
            f"Distinct items among the last {WINDOW} served.",
            registry=self.registry,
        ).set_function(self._window.distinct)
        Gauge(
            "tfrec_gateway_top_items_share",
            f"Share of the {TOP} most served items among the last {WINDOW} served.",
            registry=self.registry,
        ).set_function(lambda: self._window.share_of_top(TOP))

    def served(
        self,
        version: int,
        item_ids: Sequence[str],
        *,
        history: int,
        unknown: int | None,
        degraded: bool,
    ) -> None:
        """Counts one recommendation.

        Args:
            version: of the model.
            item_ids: what was recommended.
            history: events that the model was asked with.
            unknown: how many of their items it does not know; None if that was not looked up.
            degraded: whether the history store did not answer.
        """
        label = self._versions.of(str(version))
        self._recommendations.labels(label).inc()
        self._items.labels(label).inc(len(item_ids))
        self._empty.labels(label).inc(history == 0)
        self._degraded.labels(label).inc(degraded)
        self._history_items.labels(label).inc(0 if unknown is None else history)
        self._unknown_items.labels(label).inc(unknown or 0)
        self._window.add(item_ids)

    def recorded(self, kind: str, version: int | None) -> None:
        """Counts one event; `version` is that of the model that recommended the item, if any."""
        label = "" if version is None else self._versions.of(str(version))
        self._events.labels(self._kinds.of(kind), label).inc()

    def _by_version(self, name: str, text: str) -> Counter:
        return Counter(f"tfrec_gateway_{name}", text, ("model_version",), registry=self.registry)


class BoundedLabels:
    """Lets the first `most` distinct values through and calls the others ``other``."""

    def __init__(self, most: int) -> None:
        """Has seen no value yet."""
        self._most = most
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def of(self, value: str) -> str:
        """Returns the label that stands for a value."""
        with self._lock:
            if value not in self._seen and len(self._seen) >= self._most:
                return OTHER
            self._seen.add(value)
            return value


class ServedWindow:
    """How the last served items spread over the catalogue."""

    def __init__(self, size: int) -> None:
        """Begins empty."""
        self._items: collections.deque[str] = collections.deque(maxlen=size)
        self._lock = threading.Lock()

    def add(self, item_ids: Sequence[str]) -> None:
        """Adds served items."""
        with self._lock:
            self._items.extend(item_ids)

    def distinct(self) -> float:
        """Returns how many different items there are in the window."""
        return float(len(self._counts()))

    def share_of_top(self, count: int) -> float:
        """Returns the share of the `count` most frequent items; 0 of an empty window."""
        counts = self._counts()
        total = sum(counts.values())
        return sum(n for _, n in counts.most_common(count)) / total if total else 0.0

    def _counts(self) -> collections.Counter[str]:
        with self._lock:
            return collections.Counter(self._items)
