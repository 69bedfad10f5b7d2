"""How requests are batched: the official server's BatchingParameters, checked."""

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BatchingOptions:
    """The parameters of batching, by the official names and defaults.

    Attributes:
        max_batch_size: most rows of a batch.
        batch_timeout_micros: how long the first request of a batch may wait for more while a
            thread is free; with 0, requests gather only while all threads are busy.
        max_enqueued_batches: how many full batches of one signature may wait.
        num_batch_threads: batches that run at a time.
        thread_pool_name: what the metrics call the threads.
        allowed_batch_sizes: a batch gets rows until it has one of these sizes; none for any.
        pad_variable_length_inputs: whether requests of different shapes share a batch; otherwise
            each shape has batches of its own.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    thread_pool_name: str = "model_server_batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} should be at least 1, not {getattr(self, name)}")
        if self.batch_timeout_micros < 0:
            raise ValueError(
                f"batch_timeout_micros should not be negative: {self.batch_timeout_micros}"
            )
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise ValueError(
                "allowed_batch_sizes should increase and end with max_batch_size "
                f"({self.max_batch_size}), not be {list(sizes)}"
            )

    def rounded(self, rows: int) -> int:
        """Returns the smallest allowed batch size of at least `rows`."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def from_message(message: Any) -> BatchingOptions:
    """Reads BatchingParameters; what is not set has its default.

    Raises:
        ValueError: saying which value cannot work.
    """
    given: dict[str, Any] = {
        name: getattr(message, name).value
        for name in (
            "max_batch_size",
            "batch_timeout_micros",
            "max_enqueued_batches",
            "num_batch_threads",
            "thread_pool_name",
        )
        if message.HasField(name)
    }
    return BatchingOptions(
        **given,
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
    )
