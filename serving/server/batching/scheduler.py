"""Tasks wait in queues until a thread is free to run some of them as one batch."""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any

from serving.server.arrays import Array
from serving.server.batching.options import BatchingOptions
from serving.server.statuses import Code, ServingError


class BatchTask:
    """The inputs of one request, and where its outputs will be.

    Attributes:
        inputs: values, in an order that all tasks of a queue share.
        rows: their common first dimension.
        deadline: when the client stops waiting, by `time.monotonic`; None for never.
        enqueued: when it was made, by the same clock.
        outputs: the future outputs.
    """

    __slots__ = ("deadline", "enqueued", "inputs", "outputs", "rows")

    def __init__(self, inputs: Sequence[Array], rows: int, deadline: float | None) -> None:
        self.inputs = inputs
        self.rows = rows
        self.deadline = deadline
        self.enqueued = time.monotonic()
        self.outputs: Future[list[Array]] = Future()


class BatchQueue:
    """Tasks for one signature of one loaded version.

    Attributes:
        process: runs some tasks as one batch and completes each, whatever happens.
        groups: waiting tasks, by what must be equal within a batch.
        rows: rows of all waiting tasks.
    """

    def __init__(self, process: Callable[[list[BatchTask]], None]) -> None:
        self.process = process
        self.groups: dict[Hashable, deque[BatchTask]] = {}
        self.rows = 0


class BatchScheduler:
    """Threads that take turns at the queues; whose first task waits longest is served first."""

    def __init__(self, options: BatchingOptions) -> None:
        self._options = options
        self._timeout = options.batch_timeout_micros / 1e6
        self._waiting: dict[BatchQueue, None] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{options.thread_pool_name}-{n}", daemon=True)
            for n in range(options.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def schedule(self, queue: BatchQueue, group: Hashable, task: BatchTask) -> None:
        """Puts a task into a queue.

        Raises:
            ServingError: INVALID_ARGUMENT if it is larger than a batch, UNAVAILABLE if the queue
                is full.
        """
        most = self._options.max_batch_size
        if task.rows > most:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Task size {task.rows} is larger than maximum input batch size {most}",
            )
        with self._changed:
            if queue.rows + task.rows > most * self._options.max_enqueued_batches:
                raise ServingError(
                    Code.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full",
                )
            queue.groups.setdefault(group, deque()).append(task)
            queue.rows += task.rows
            self._waiting[queue] = None
            self._changed.notify()

    def close(self) -> None:
        """Ends the threads once nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            queue, batch = taken
            queue.process(batch)
            # Arrays of the batch would otherwise live until the next one.
            del taken, batch

    def _next(self) -> tuple[BatchQueue, list[BatchTask]] | None:
        """Waits for a batch and takes it out of its queue; None when the scheduler is closed."""
        with self._changed:
            while True:
                now = time.monotonic()
                chosen: tuple[float, BatchQueue, Hashable] | None = None
                soonest: float | None = None
                for queue in self._waiting:
                    for group, tasks in queue.groups.items():
                        oldest = tasks[0].enqueued
                        ripe_at = oldest + self._timeout
                        if self._closed or ripe_at <= now or self._is_full(tasks):
                            if chosen is None or oldest < chosen[0]:
                                chosen = (oldest, queue, group)
                        elif soonest is None or ripe_at < soonest:
                            soonest = ripe_at
                if chosen is not None:
                    return chosen[1], self._take(chosen[1], chosen[2])
                if self._closed:
                    return None
                self._changed.wait(None if soonest is None else max(0.0, soonest - now))

    def _is_full(self, tasks: deque[BatchTask]) -> bool:
        rows = 0
        for task in tasks:
            rows += task.rows
            if rows >= self._options.max_batch_size:
                return True
        return False

    def _take(self, queue: BatchQueue, group: Any) -> list[BatchTask]:
        tasks = queue.groups[group]
        batch: list[BatchTask] = []
        rows = 0
        while tasks and rows + tasks[0].rows <= self._options.max_batch_size:
            rows += tasks[0].rows
            batch.append(tasks.popleft())
        queue.rows -= rows
        if not tasks:
            del queue.groups[group]
        if not queue.groups:
            del self._waiting[queue]
        return batch
