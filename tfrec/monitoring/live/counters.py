"""What counters and histograms gained between two looks at a metrics page."""

import math
from dataclasses import dataclass

from tfrec.monitoring.live.metrics_page import PROCESS_START, Buckets, MetricsPage, Series


@dataclass(frozen=True)
class Growth:
    """What a page gained.

    Attributes:
        seconds: time between the two looks.
        counters: gains of counters, none negative.
        histograms: gains of histograms.
        resets: series that went backwards.
    """

    seconds: float
    counters: dict[Series, float]
    histograms: dict[Series, Buckets]
    resets: int


class CounterWatch:
    """Follows the counters of one endpoint through its restarts.

    A counter that went backwards began again at zero, so that all it shows was gained since: the
    rule of Prometheus's `rate`. A new start time of the process says so of every series, also of
    those that have already passed their old value.
    """

    def __init__(self) -> None:
        self._last: MetricsPage | None = None
        self._seen_at = math.nan

    def look(self, page: MetricsPage, seconds: float) -> Growth | None:
        """Returns what was gained since the last look, or None at the first one.

        Args:
            page: what the endpoint shows.
            seconds: a clock that never goes back (`time.monotonic`).
        """
        last, elapsed = self._last, seconds - self._seen_at
        if last is not None and not elapsed > 0:
            return None
        self._last, self._seen_at = _carried_over(last, page), seconds
        if last is None:
            return None
        if _restarted(last, page):
            last = MetricsPage()
        resets = 0
        counters = {}
        for series, value in page.counters.items():
            before = last.counters.get(series, 0.0)
            resets += value < before
            counters[series] = value - before if value >= before else value
        histograms = {}
        for series, buckets in page.histograms.items():
            gained = _gained(last.histograms.get(series), buckets)
            resets += gained is None
            histograms[series] = buckets if gained is None else gained
        return Growth(elapsed, counters, histograms, resets)


def _carried_over(last: MetricsPage | None, page: MetricsPage) -> MetricsPage:
    """Returns the page with the series that it leaves out as they were last seen.

    A series that is missing once (a half-written page) must not be counted from zero again.
    """
    if last is None or _restarted(last, page):
        return page
    return MetricsPage(
        {**last.counters, **page.counters},
        {**last.gauges, **page.gauges},
        {**last.histograms, **page.histograms},
    )


def _restarted(last: MetricsPage, page: MetricsPage) -> bool:
    start = Series(PROCESS_START)
    before, now = last.gauges.get(start), page.gauges.get(start)
    # A second is the grain of some exporters' clocks.
    return before is not None and now is not None and abs(now - before) > 1.0


def _gained(before: Buckets | None, now: Buckets) -> Buckets | None:
    """Returns the gain of a histogram, or None if it began again."""
    if before is None:
        return now
    if before.bounds != now.bounds:
        return None
    counts = tuple(b - a for a, b in zip(before.counts, now.counts, strict=True))
    if min(counts) < 0:
        return None
    return Buckets(now.bounds, counts, now.total - before.total)


def percentile(buckets: Buckets, share: float) -> float:
    """Returns the value below which a share of the observations lies.

    Interpolated linearly within its bucket, as Prometheus's `histogram_quantile` does; in the
    last, open bucket it is that bucket's lower bound.

    Args:
        buckets: a histogram of values of at least 0.
        share: in (0, 1).

    Returns:
        NaN without observations.
    """
    wanted, before, lower = share * buckets.count, 0.0, 0.0
    if buckets.count == 0:
        return math.nan
    for bound, count in zip(buckets.bounds, buckets.counts, strict=True):
        if count > 0 and before + count >= wanted:
            if bound == math.inf:
                return lower
            return lower + (bound - lower) * (wanted - before) / count
        before += count
        lower = bound
    return lower
