"""Runs requests of one loaded version in batches."""

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from serving.server import arrays
from serving.server.arrays import Array
from serving.server.batching.merging import merge, split
from serving.server.batching.options import BatchingOptions
from serving.server.batching.scheduler import BatchQueue, BatchScheduler, BatchTask
from serving.server.runner import DirectRunner
from serving.server.session import SavedModelSession
from serving.server.statuses import Code, ServingError

# With padding, dimensions up to this size always share a batch. Larger ones share it with those
# of up to twice their size: a batch costs what its longest row costs.
SHORT = 32


class BatchingRunner:
    """Gathers requests of the same signature and outputs; what does not fit in runs alone."""

    def __init__(
        self,
        session: SavedModelSession,
        scheduler: BatchScheduler,
        options: BatchingOptions,
        observe_wait: Callable[[float], None] = lambda seconds: None,
        observe_run: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares queues over the session.

        Args:
            session: the loaded version; it stays open while requests run.
            scheduler: whose threads run the batches of all versions.
            options: how to batch.
            observe_wait: told the seconds that each request waited for its batch.
            observe_run: told of each run of a batch.
        """
        self._session = session
        self._direct = DirectRunner(session)
        self._scheduler = scheduler
        self._options = options
        self._observe_wait = observe_wait
        self._observe_run = observe_run
        self._queues: dict[Hashable, BatchQueue] = {}
        self._lock = threading.Lock()

    def run(
        self,
        signature: Any,
        inputs: Mapping[str, Any],
        fetches: Sequence[str],
        timeout_ms: int | None,
    ) -> list[Array]:
        """Runs a request together with others; arguments, result, errors as of `DirectRunner`.

        Raises:
            ServingError: also INVALID_ARGUMENT for inputs without a common number of rows, and
                UNAVAILABLE if too many requests wait.
        """
        names = sorted(inputs)
        values = [arrays.from_proto(inputs[name]) for name in names]
        fitting = [
            value
            for name, value in zip(names, values, strict=True)
            if value is not None and _fits(value, signature.inputs[name])
        ]
        if len(fitting) < len(names) or not fitting:
            # TensorFlow finds the words for what is wrong with it, and no other request suffers.
            return self._direct.run(signature, inputs, fetches, timeout_ms)
        rows = _common_rows(fitting)
        if not rows:
            return self._direct.run(signature, inputs, fetches, timeout_ms)
        feeds = tuple(signature.inputs[name].name for name in names)
        deadline = None if timeout_ms is None else time.monotonic() + timeout_ms / 1000
        task = BatchTask(fitting, rows, deadline)
        self._scheduler.schedule(self._queue(feeds, tuple(fetches)), self._group(fitting), task)
        return task.outputs.result()

    def _queue(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> BatchQueue:
        with self._lock:
            queue = self._queues.get((feeds, fetches))
            if queue is None:
                queue = BatchQueue(lambda tasks: self._process(tasks, feeds, fetches))
                self._queues[feeds, fetches] = queue
            return queue

    def _group(self, values: Sequence[Array]) -> Hashable:
        """Returns what must be equal for requests to share a batch."""
        shapes = tuple(value.values.shape[1:] for value in values)
        if not self._options.pad_variable_length_inputs:
            return shapes
        return tuple(tuple(map(_size_class, shape)) for shape in shapes)

    def _process(
        self, tasks: list[BatchTask], feeds: tuple[str, ...], fetches: tuple[str, ...]
    ) -> None:
        try:
            alive = self._without_expired(tasks)
            if alive:
                self._run_together(alive, feeds, fetches)
        except BaseException as error:
            # Whoever waits for an outcome must get one.
            for task in tasks:
                if not task.outputs.done():
                    task.outputs.set_exception(error)

    def _without_expired(self, tasks: list[BatchTask]) -> list[BatchTask]:
        now = time.monotonic()
        alive = []
        for task in tasks:
            self._observe_wait(now - task.enqueued)
            if task.deadline is None or now < task.deadline:
                alive.append(task)
            else:
                late = "Run() timeout exceeded while waiting in batching queue"
                task.outputs.set_exception(ServingError(Code.RESOURCE_EXHAUSTED, late))
        return alive

    def _run_together(
        self, tasks: list[BatchTask], feeds: tuple[str, ...], fetches: tuple[str, ...]
    ) -> None:
        sizes = [task.rows for task in tasks]
        rows = self._options.rounded(sum(sizes))
        columns = zip(*(task.inputs for task in tasks), strict=True)
        handles: list[tuple[str, int]] = []
        try:
            for feed, parts in zip(feeds, columns, strict=True):
                handles.append((feed, self._session.tensor_of(merge(parts, rows))))
            self._observe_run()
            outputs = self._session.run(handles, fetches, _timeout_ms(tasks))
        except ServingError as error:
            if len(tasks) == 1 or error.code == Code.DEADLINE_EXCEEDED:
                raise
            # One request may have spoilt it for all; alone, each gets what it deserves.
            for task in tasks:
                self._process([task], feeds, fetches)
            return
        finally:
            for _, handle in handles:
                self._session.delete_tensor(handle)
        for task, own in zip(tasks, split(outputs, sizes, rows), strict=True):
            task.outputs.set_result(own)


def _size_class(size: int) -> int:
    """Returns the power of two that sizes must share for their rows to share a batch."""
    return max(SHORT, 1 << (size - 1).bit_length()) if size else SHORT


def _fits(value: Array, info: Any) -> bool:
    """Says whether a value has the type and shape that a signature declares."""
    if value.dtype != info.dtype or info.tensor_shape.unknown_rank:
        return False
    declared = [dim.size for dim in info.tensor_shape.dim]
    shape = value.values.shape
    return len(shape) == len(declared) and all(
        size in (-1, given) for size, given in zip(declared[1:], shape[1:], strict=True)
    )


def _common_rows(values: Sequence[Array]) -> int:
    if not all(value.values.ndim for value in values):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Batching Run() input tensors must have at least one dimension",
        )
    sizes = {len(value.values) for value in values}
    if len(sizes) > 1:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "Batching Run() input tensors must have equal 0th-dimension size",
        )
    return sizes.pop()


def _timeout_ms(tasks: Sequence[BatchTask]) -> int | None:
    """Returns what is left until the last of the deadlines, in milliseconds; None without one."""
    last = 0.0
    for task in tasks:
        if task.deadline is None:
            return None
        last = max(last, task.deadline)
    return max(1, int((last - time.monotonic()) * 1000))
