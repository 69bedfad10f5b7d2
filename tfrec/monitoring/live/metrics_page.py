"""A page in Prometheus's text format, such as a model server shows."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

PROCESS_START = "process_start_time_seconds"
Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""


@dataclass(frozen=True)
class Series:
    """What tells one series from another: the metric's name and its labels."""

    name: str
    labels: Labels = ()

    def label(self, name: str) -> str:
        """Returns the value of a label; "" where the series has none of that name."""
        return dict(self.labels).get(name, "")


@dataclass(frozen=True)
class Buckets:
    """A histogram.

    Attributes:
        bounds: upper bounds of the buckets, ascending; the last one is infinity.
        counts: observations in each bucket, not cumulative.
        total: sum of all observations.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float

    @property
    def count(self) -> float:
        """Number of observations."""
        return sum(self.counts)


@dataclass(frozen=True)
class MetricsPage:
    """The series of a page.

    Attributes:
        counters: values of counters (and of series without a type), without "_total".
        gauges: values of gauges.
        histograms: histograms.
    """

    counters: dict[Series, float] = field(default_factory=dict)
    gauges: dict[Series, float] = field(default_factory=dict)
    histograms: dict[Series, Buckets] = field(default_factory=dict)


def read_page(text: str) -> MetricsPage:
    """Reads a page.

    Series that cannot be true are left out: counters that are negative or no number, and
    histograms whose cumulative counts fall.

    Raises:
        ValueError: if the text is no such page.
    """
    page = MetricsPage()
    cumulative: defaultdict[Series, dict[float, float]] = defaultdict(dict)
    sums: dict[Series, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = dict(sample.labels)
            if family.type == "histogram":
                bound = labels.pop("le", None)
                series = Series(family.name, _sorted(labels))
                if sample.name.endswith("_bucket") and bound is not None:
                    cumulative[series][float(bound)] = sample.value
                elif sample.name.endswith("_sum"):
                    sums[series] = sample.value
            elif family.type == "gauge":
                page.gauges[Series(sample.name, _sorted(labels))] = sample.value
            elif 0 <= sample.value < math.inf:
                # The parser adds the suffix that OpenMetrics wants to names that lack it.
                name = sample.name.removesuffix("_total")
                page.counters[Series(name, _sorted(labels))] = sample.value
    for series, counts in cumulative.items():
        buckets = _buckets(counts, sums.get(series, math.nan))
        if buckets is not None:
            page.histograms[series] = buckets
    return page


def _sorted(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _buckets(cumulative: dict[float, float], total: float) -> Buckets | None:
    bounds = sorted(cumulative)
    if not bounds or bounds[-1] != math.inf:
        return None
    counts, before = [], 0.0
    for bound in bounds:
        counts.append(cumulative[bound] - before)
        before = cumulative[bound]
    # Not `< 0`: a count that is no number is no count either.
    if not all(count >= 0 for count in counts) or before == math.inf:
        return None
    return Buckets(tuple(bounds), tuple(counts), total)
