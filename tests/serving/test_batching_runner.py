"""Requests that share a run of a fake graph: who is with whom, and what each gets."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from serving import tensors, wire
from serving.server.arrays import Array
from serving.server.batching.options import BatchingOptions
from serving.server.batching.runner import BatchingRunner, _size_class
from serving.server.batching.scheduler import BatchScheduler
from serving.server.metrics import Metrics
from serving.server.statuses import Code, ServingError


class FakeSession:
    """Answers with each row's sum, and the shape of the input; negative numbers fail."""

    def __init__(self):
        self.shapes = []
        self.timeouts = []
        self.kept = {}

    def tensor_of(self, array):
        handle = len(self.shapes) * 1000 + len(self.kept) + 1
        self.kept[handle] = array
        return handle

    def tensor(self, proto):
        values = np.array(tensors.values_of(proto)).reshape(tensors.shape_of(proto))
        return self.tensor_of(Array(proto.dtype, values))

    def delete_tensor(self, handle):
        del self.kept[handle]

    def run(self, feeds, fetches, timeout_ms=None):
        ((name, handle),) = feeds
        assert (name, list(fetches)) == ("x:0", ["sum:0"])
        values = self.kept[handle].values
        self.shapes.append(values.shape)
        self.timeouts.append(timeout_ms)
        if (values < 0).any():
            raise ServingError(Code.INVALID_ARGUMENT, "a negative number")
        return [Array(tensors.DT_INT64, values.sum(tuple(range(1, values.ndim))))]


SIGNATURE = wire.SignatureDef()
SIGNATURE.inputs["x"].name = "x:0"
SIGNATURE.inputs["x"].dtype = tensors.DT_INT64
SIGNATURE.inputs["x"].tensor_shape.dim.add(size=-1)
SIGNATURE.inputs["x"].tensor_shape.dim.add(size=-1)


@pytest.fixture
def together():
    """Runs requests at once: ``together(*rows, **options)`` returns outcomes and the session."""
    schedulers = []

    def run(*requests, timeout_ms=None, **options):
        options = BatchingOptions(
            **{
                "num_batch_threads": 1,
                "max_batch_size": sum(len(rows) for rows in requests),
                "batch_timeout_micros": 200_000,
                **options,
            }
        )
        scheduler = BatchScheduler(options)
        schedulers.append(scheduler)
        session, metrics = FakeSession(), Metrics()
        runner = BatchingRunner(
            session,
            scheduler,
            options,
            lambda seconds: metrics.wait("pool", seconds),
            metrics.run_of_batch,
        )
        outcomes = [None] * len(requests)

        def ask(number, rows):
            proto = tensors.make(tensors.DT_INT64, np.shape(rows), np.ravel(rows).tolist())
            try:
                (answer,) = runner.run(SIGNATURE, {"x": proto}, ["sum:0"], timeout_ms)
                outcomes[number] = answer.values.tolist()
            except ServingError as error:
                outcomes[number] = error.text

        threads = [
            threading.Thread(target=ask, args=(number, rows))
            for number, rows in enumerate(requests)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert session.kept == {}
        return SimpleNamespace(outcomes=outcomes, session=session, page=metrics.page().decode())

    yield run
    for scheduler in schedulers:
        scheduler.close()


def test_each_gets_its_own_rows_of_one_run(together):
    result = together([[1, 2]], [[3, 4], [5, 6]])
    assert result.outcomes == [[3], [7, 11]]
    assert result.session.shapes == [(3, 2)]


def test_the_metrics_tell_runs_from_requests(together):
    page = together([[1, 2]], [[3, 4]], [[5, 6]], [[7]]).page
    assert "\n:tensorflow:serving:batching_session:wrapped_run_count 2.0\n" in page
    waits = (
        ':tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name="pool"} 4.0'
    )
    assert waits in page


def test_shapes_run_apart_without_padding(together):
    result = together([[1, 2]], [[3]], [[4, 5]])
    assert result.outcomes == [[3], [3], [9]]
    assert sorted(result.session.shapes) == [(1, 1), (2, 2)]


def test_shapes_run_together_with_padding(together):
    result = together([[1, 2]], [[3]], [[4, 5, 6]], pad_variable_length_inputs=True)
    assert result.outcomes == [[3], [3], [15]]
    assert result.session.shapes == [(3, 3)]


def test_long_rows_do_not_make_short_ones_wait_for_their_length(together):
    result = together(
        [[1] * 3], [[1] * 32], [[1] * 40], [[1] * 64], pad_variable_length_inputs=True
    )
    assert result.outcomes == [[3], [32], [40], [64]]
    assert sorted(result.session.shapes) == [(2, 32), (2, 64)]


def test_a_size_class_is_the_next_power_of_two():
    assert [_size_class(size) for size in (0, 1, 32, 33, 64, 65)] == [32, 32, 32, 64, 64, 128]


def test_rows_are_added_up_to_an_allowed_size(together):
    result = together([[1]], [[2]], [[3]], max_batch_size=4, allowed_batch_sizes=(2, 4))
    assert result.outcomes == [[1], [2], [3]]
    assert result.session.shapes == [(4, 1)]


def test_who_spoils_a_batch_fails_alone(together):
    result = together([[1]], [[-1]], [[3]])
    assert result.outcomes == [[1], "a negative number", [3]]
    assert result.session.shapes == [(3, 1), (1, 1), (1, 1), (1, 1)]


def test_what_does_not_fit_the_signature_runs_by_itself(together):
    result = together([[[1, 2]]], [[3]], max_batch_size=1)
    assert result.outcomes == [[3], [3]]
    assert sorted(result.session.shapes, key=len) == [(1, 1), (1, 1, 2)]


def test_a_run_lasts_until_the_last_deadline(together):
    result = together([[1]], [[2]], timeout_ms=60_000)
    (timeout,) = result.session.timeouts
    assert 50_000 < timeout <= 60_000


def test_whose_time_is_over_is_not_run(together):
    result = together([[1]], max_batch_size=2, timeout_ms=1)
    assert result.outcomes == ["Run() timeout exceeded while waiting in batching queue"]
    assert result.session.shapes == []
