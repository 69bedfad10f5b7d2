"""Metrics pages: reading them, following them through restarts and lies, and their figures."""

import math

import numpy as np
import pytest

from tfrec.monitoring.live.counters import CounterWatch, percentile
from tfrec.monitoring.live.endpoints import Endpoint
from tfrec.monitoring.live.fetching import Fetched
from tfrec.monitoring.live.metrics_page import Buckets, Series, read_page

COUNT = ":tensorflow:serving:request_count"
LATENCY = ":tensorflow:serving:request_latency"


def page(ok=10, failed=0, buckets=(4, 9, 10), *, start=None, extra=""):
    """Returns a page as a model server shows it; `buckets` are cumulative."""
    bounds = ("1000", "10000", "+Inf")
    latency = "\n".join(
        f'{LATENCY}_bucket{{model_name="m",API="Predict",le="{bound}"}} {count}'
        for bound, count in zip(bounds, buckets, strict=True)
    )
    process = f"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {start}\n"
    return (
        f"# TYPE {COUNT} counter\n"
        f'{COUNT}{{model_name="m",status="OK"}} {ok}\n'
        f'{COUNT}{{model_name="m",status="INVALID_ARGUMENT"}} {failed}\n'
        f"# TYPE {LATENCY} histogram\n{latency}\n"
        f'{LATENCY}_sum{{model_name="m",API="Predict"}} 12345\n'
        f'{LATENCY}_count{{model_name="m",API="Predict"}} {buckets[-1]}\n'
        + (process if start is not None else "")
        + extra
    )


def growth(*pages, seconds=10.0):
    """Returns what was gained at the last of several looks."""
    watch, gained = CounterWatch(), None
    for number, text in enumerate(pages):
        gained = watch.look(read_page(text), number * seconds)
    return gained


def gained_by(gained, status):
    return gained.counters[Series(COUNT, (("model_name", "m"), ("status", status)))]


class TestReading:
    def test_counters_gauges_and_histograms(self):
        found = read_page(page(ok=3, start=5))
        assert found.counters[Series(COUNT, (("model_name", "m"), ("status", "OK")))] == 3
        assert found.gauges[Series("process_start_time_seconds")] == 5
        ((series, buckets),) = found.histograms.items()
        assert (series.name, series.label("API")) == (LATENCY, "Predict")
        assert buckets == Buckets((1000.0, 10000.0, math.inf), (4, 5, 1), 12345)

    @pytest.mark.parametrize("text", ["<html>no</html>", "a b c d", '{"error": "x"}'])
    def test_other_texts_are_no_pages(self, text):
        with pytest.raises(ValueError):
            read_page(text)

    def test_counts_that_cannot_be_are_left_out(self):
        found = read_page(page(ok=-1, failed=math.nan, buckets=(9, 4, 10)))
        assert (found.counters, found.histograms) == ({}, {})

    def test_a_histogram_without_its_open_bucket_is_left_out(self):
        text = page().replace('le="+Inf"', 'le="20000"')
        assert read_page(text).histograms == {}


class TestCounters:
    def test_the_first_look_gains_nothing(self):
        assert growth(page()) is None

    def test_gains_and_time(self):
        gained = growth(page(ok=10), page(ok=25))
        assert (gained_by(gained, "OK"), gained.seconds, gained.resets) == (15, 10, 0)

    def test_a_counter_that_goes_backwards_began_again(self):
        gained = growth(page(ok=100, buckets=(50, 90, 100)), page(ok=7, buckets=(1, 6, 7)))
        assert gained_by(gained, "OK") == 7
        assert next(iter(gained.histograms.values())).counts == (1, 5, 1)
        assert gained.resets == 2

    def test_a_new_process_that_has_passed_the_old_values_already(self):
        gained = growth(page(ok=10, start=1000), page(ok=50, start=2000))
        assert gained_by(gained, "OK") == 50

    def test_the_same_process_with_a_rounded_start_time(self):
        gained = growth(page(ok=10, start=1000.4), page(ok=50, start=1000.0))
        assert gained_by(gained, "OK") == 40

    def test_a_series_that_was_missing_once_is_not_counted_twice(self):
        halved = "\n".join(line for line in page(ok=20).splitlines() if 'status="OK"' not in line)
        gained = growth(page(ok=10), halved + "\n", page(ok=30))
        assert gained_by(gained, "OK") == 20

    def test_a_new_series_counts_from_zero(self):
        gained = growth(page(), page(extra="# TYPE other counter\nother 5\n"))
        assert gained.counters[Series("other")] == 5

    def test_a_clock_that_stands_still_gains_nothing(self):
        assert growth(page(), page(ok=99), seconds=0.0) is None

    def test_other_buckets_are_another_histogram(self):
        gained = growth(
            page(buckets=(4, 9, 10)), page(buckets=(5, 10, 11)).replace('1000"', '2000"')
        )
        assert next(iter(gained.histograms.values())).count == 11


class TestPercentile:
    BUCKETS = Buckets((10.0, 20.0, math.inf), (2, 6, 2), math.nan)

    @pytest.mark.parametrize(
        "share, value", [(0.1, 5), (0.2, 10), (0.5, 15), (0.8, 20), (0.99, 20)]
    )
    def test_worked_by_hand(self, share, value):
        assert percentile(self.BUCKETS, share) == pytest.approx(value)

    def test_without_observations(self):
        assert math.isnan(percentile(Buckets((1.0, math.inf), (0, 0), 0.0), 0.5))


class TestFigures:
    def look(self, *texts, name="server"):
        endpoint = Endpoint(name)
        for number, text in enumerate(texts):
            found = endpoint.look(Fetched(text, "", 0.01), 10.0 * number)
        return found

    def test_rates_errors_and_percentiles(self):
        scalars, histograms, wrong = self.look(
            page(10, 0, (0, 0, 0)), page(100, 10, (50, 100, 100))
        )
        assert wrong == "" and scalars["server/up"] == 1
        assert scalars["server/requests_per_second/m"] == 10
        assert scalars["server/requests_per_second/m/INVALID_ARGUMENT"] == 1
        assert scalars["server/error_share/m"] == pytest.approx(0.1)
        # Half of the requests took at most a millisecond, the others at most ten.
        assert scalars["server/request_latency_ms/m/p50"] == pytest.approx(1)
        assert scalars["server/request_latency_ms/m/p99"] == pytest.approx(9.82)
        edges, counts = histograms["server/request_latency_ms/m"]
        np.testing.assert_allclose(edges, [0, 1, 10])
        assert counts.tolist() == [50, 50]

    def test_several_apis_of_a_model_are_added_up(self):
        other = page(buckets=(6, 6, 6)).replace('API="Predict"', 'API="Classify"')
        both = page() + "".join(
            line + "\n" for line in other.splitlines() if line.startswith(f"{LATENCY}_")
        )
        zero = both.replace(" 4\n", " 0\n").replace(" 9\n", " 0\n").replace(" 10\n", " 0\n")
        _, histograms, _ = self.look(zero.replace(" 6\n", " 0\n"), both)
        assert histograms["server/request_latency_ms/m"][1].sum() == 16

    def test_batch_sizes_and_the_gateways_counters(self):
        batches = (
            '# TYPE x:batch_size histogram\nx:batch_size_bucket{model_name="m",le="8"} 0\n'
            'x:batch_size_bucket{model_name="m",le="+Inf"} 0\nx:batch_size_sum{model_name="m"} 0\n'
            '# TYPE tfrec_gateway_requests counter\ntfrec_gateway_requests_total{code="OK"} 0\n'
        )
        scalars, _, _ = self.look(
            page(extra=batches), page(extra=batches.replace("} 0", "} 20")), name="gateway"
        )
        assert scalars["gateway/batch_size/m/p50"] == 4
        assert scalars["gateway/requests/OK/per_second"] == 2

    def test_mean_batch_size_is_requests_a_run(self):
        session = ":tensorflow:serving:batching_session:"
        batching = (
            f"# TYPE {session}wrapped_run_count counter\n{session}wrapped_run_count {{runs}}\n"
            f"# TYPE {session}queuing_latency histogram\n"
            f'{session}queuing_latency_bucket{{{{thread_pool_name="m",le="1000"}}}} {{tasks}}\n'
            f'{session}queuing_latency_bucket{{{{thread_pool_name="m",le="+Inf"}}}} {{tasks}}\n'
            f'{session}queuing_latency_sum{{{{thread_pool_name="m"}}}} 9\n'
        )
        scalars, _, _ = self.look(
            page(extra=batching.format(runs=10, tasks=20)),
            page(extra=batching.format(runs=20, tasks=60)),
        )
        assert scalars["server/batch_size/mean"] == 4
        assert scalars["server/queuing_latency_ms/m/p50"] == pytest.approx(0.5)

    def test_no_requests_no_error_share(self):
        scalars, histograms, _ = self.look(page(), page())
        assert scalars["server/requests_per_second/m"] == 0
        assert "server/error_share/m" not in scalars and histograms == {}

    @pytest.mark.parametrize("fetched, words", [
        (Fetched("", "no answer in time", 5.0), "no answer in time"),
        (Fetched("<html>", "", 0.1), "no metrics page"),
        (Fetched("", "", 0.1), "empty"),
    ])  # fmt: skip
    def test_one_that_is_down_or_something_else(self, fetched, words):
        scalars, _, wrong = Endpoint("server").look(fetched, 0.0)
        assert scalars["server/up"] == 0 and words in wrong

    def test_counting_goes_on_after_an_outage(self):
        endpoint = Endpoint("server")
        endpoint.look(Fetched(page(ok=0), "", 0.01), 0.0)
        endpoint.look(Fetched("", "status 503", 0.01), 10.0)
        scalars, _, _ = endpoint.look(Fetched(page(ok=60), "", 0.01), 20.0)
        assert scalars["server/requests_per_second/m"] == 3
