"""Batches without TensorFlow: options, merging, splitting, and who runs when."""

import threading
import time

import numpy as np
import pytest

from serving.server.arrays import Array
from serving.server.batching.merging import merge, split
from serving.server.batching.options import BatchingOptions
from serving.server.batching.scheduler import BatchQueue, BatchScheduler, BatchTask
from serving.server.statuses import Code, ServingError


def texts(rows):
    return Array(7, np.array(rows, object))


def numbers(rows):
    return Array(9, np.array(rows, np.int64))


def test_inputs_are_joined_row_by_row():
    joined = merge([numbers([[1, 2]]), numbers([[3, 4], [5, 6]])], 3)
    assert joined.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert joined.values.dtype == np.int64


def test_shorter_rows_end_in_the_empty_value():
    joined = merge([texts([[b"", b"a"]]), texts([[b"b"]]), texts([[b"c", b"d", b"e"]])], 3)
    assert joined.values.tolist() == [[b"", b"a", b""], [b"b", b"", b""], [b"c", b"d", b"e"]]
    assert merge([numbers([[7]]), numbers([[1, 2]])], 2).values.tolist() == [[7, 0], [1, 2]]


def test_missing_rows_repeat_the_first():
    assert merge([texts([b"a"]), texts([b"b"])], 4).values.tolist() == [b"a", b"b", b"a", b"a"]


def test_outputs_go_back_to_whose_rows_they_are():
    outputs = [numbers([1, 2, 3, 9]), texts([[b"a"], [b"b"], [b"c"], [b"-"]])]
    parts = split(outputs, [1, 2], 4)
    assert [[one.values.tolist() for one in part] for part in parts] == [
        [[1], [[b"a"]]],
        [[2, 3], [[b"b"], [b"c"]]],
    ]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (numbers(1), "Batched output tensor has 0 dimensions"),
        (numbers([1, 2]), "Batched output tensor's 0th dimension does not equal the sum"),
    ],
)
def test_an_output_without_an_entry_a_row_cannot_be_split(output, text):
    with pytest.raises(ServingError, match=text) as caught:
        split([output], [1, 2], 3)
    assert caught.value.code == Code.FAILED_PRECONDITION


def test_defaults_are_the_official_ones():
    options = BatchingOptions()
    assert (options.max_batch_size, options.batch_timeout_micros) == (1000, 0)
    assert (options.max_enqueued_batches, options.allowed_batch_sizes) == (10, ())
    assert not options.pad_variable_length_inputs


def test_batches_grow_to_an_allowed_size():
    options = BatchingOptions(max_batch_size=16, allowed_batch_sizes=(1, 4, 16))
    assert [options.rounded(rows) for rows in (1, 2, 4, 5, 16)] == [1, 4, 4, 16, 16]
    assert BatchingOptions().rounded(7) == 7


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"max_batch_size": 0}, "max_batch_size should be at least 1"),
        ({"num_batch_threads": 0}, "num_batch_threads should be at least 1"),
        ({"batch_timeout_micros": -1}, "should not be negative"),
        ({"allowed_batch_sizes": (4, 2, 1000)}, "should increase"),
        ({"allowed_batch_sizes": (2, 4)}, r"end with max_batch_size \(1000\)"),
    ],
)
def test_options_that_cannot_work_are_refused(values, text):
    with pytest.raises(ValueError, match=text):
        BatchingOptions(**values)


class Gate:
    """A queue whose batches wait until they may run; notes the rows of each."""

    def __init__(self):
        self.batches = []
        self.open = threading.Event()
        self.busy = threading.Semaphore(0)
        self.queue = BatchQueue(self.process)

    def process(self, tasks):
        self.batches.append([task.rows for task in tasks])
        self.busy.release()
        self.open.wait(10)
        for task in tasks:
            task.outputs.set_result([])


@pytest.fixture
def schedule():
    """Makes a scheduler; ``schedule(**options)`` returns what puts rows into a gate."""
    made = []

    def make(**options):
        scheduler = BatchScheduler(BatchingOptions(**{"num_batch_threads": 1, **options}))
        made.append(scheduler)

        def put(gate, rows=1, group=0):
            task = BatchTask([], rows, None)
            scheduler.schedule(gate.queue, group, task)
            return task.outputs

        return put

    yield make
    for scheduler in made:
        scheduler.close()


def finish(gate, *futures):
    gate.open.set()
    for future in futures:
        future.result(10)


def test_requests_gather_while_the_threads_are_busy(schedule):
    put, gate = schedule(), Gate()
    first = put(gate)
    gate.busy.acquire()
    rest = [put(gate, 2), put(gate), put(gate, 3)]
    finish(gate, first, *rest)
    assert gate.batches == [[1], [2, 1, 3]]


def test_a_batch_has_at_most_its_size(schedule):
    put, gate = schedule(max_batch_size=4), Gate()
    first = put(gate)
    gate.busy.acquire()
    rest = [put(gate, rows) for rows in (2, 1, 3, 4)]
    finish(gate, first, *rest)
    assert gate.batches == [[1], [2, 1], [3], [4]]


def test_groups_never_share_a_batch(schedule):
    put, gate = schedule(), Gate()
    first = put(gate)
    gate.busy.acquire()
    rest = [put(gate, rows, group) for rows, group in ((1, "a"), (2, "b"), (3, "a"))]
    finish(gate, first, *rest)
    # The group whose first task waits longest goes first.
    assert gate.batches == [[1], [1, 3], [2]]


def test_queues_take_turns_by_their_oldest_task(schedule):
    put, gate, other = schedule(), Gate(), Gate()
    other.open.set()
    first = put(gate)
    gate.busy.acquire()
    rest = [put(other), put(gate), put(other)]
    finish(gate, first, *rest)
    assert (gate.batches, other.batches) == ([[1], [1]], [[1, 1]])


def test_a_task_waits_for_others_up_to_the_timeout(schedule):
    put, gate = schedule(batch_timeout_micros=50_000), Gate()
    started = time.monotonic()
    finish(gate, put(gate), put(gate))
    assert gate.batches == [[1, 1]]
    assert time.monotonic() - started >= 0.05


def test_a_full_batch_does_not_wait(schedule):
    put, gate = schedule(batch_timeout_micros=3_600_000_000, max_batch_size=2), Gate()
    finish(gate, put(gate), put(gate))
    assert gate.batches == [[1, 1]]


def test_a_full_queue_is_unavailable(schedule):
    put, gate = schedule(max_batch_size=2, max_enqueued_batches=2), Gate()
    first = put(gate)
    gate.busy.acquire()
    rest = [put(gate), put(gate, group=1), put(gate, 2)]
    with pytest.raises(ServingError, match="to which this task was submitted is full") as caught:
        put(gate)
    assert caught.value.code == Code.UNAVAILABLE
    # Another signature has a queue of its own.
    other = Gate()
    elsewhere = put(other)
    finish(gate, first, *rest)
    finish(other, elsewhere)
    finish(gate, put(gate))


def test_a_task_larger_than_a_batch_is_refused(schedule):
    put, gate = schedule(max_batch_size=2), Gate()
    with pytest.raises(ServingError, match="Task size 3 is larger than maximum input batch size 2"):
        put(gate, 3)


def test_closing_runs_what_waits(schedule):
    scheduler = BatchScheduler(
        BatchingOptions(num_batch_threads=1, batch_timeout_micros=3_600_000_000)
    )
    gate = Gate()
    gate.open.set()
    task = BatchTask([], 1, None)
    scheduler.schedule(gate.queue, 0, task)
    scheduler.close()
    assert task.outputs.done()
