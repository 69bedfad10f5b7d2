"""The two ways to load a server: at a rate of our own, or at the server's pace."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from serving.loadtest.summary import OK, Sample

EMPTY = "EMPTY"


@dataclass(frozen=True)
class PreparedCall:
    """A request that is ready to be sent.

    Attributes:
        kind: what it asks for, such as ``recommend``.
        request: the message, serialised ahead so that it costs the load generator nothing.
    """

    kind: str
    request: bytes


# Sends a request and returns at once a call that ends with the answer, a PredictResponse.
Send = Callable[[bytes], Any]
Observe = Callable[[Sample], None]


def open_loop(
    send: Send,
    calls: Sequence[PreparedCall],
    due_times: Iterable[float],
    *,
    stop: threading.Event | None = None,
    observe: Observe | None = None,
) -> list[Sample]:
    """Sends each request when it is due, however long earlier ones take.

    Latencies count from the time at which a request was due. A server that stalls is charged for
    every request that waits, and a late generator charges itself; a loop that waits for an answer
    before it asks again would leave such requests out (coordinated omission; G. Tene, "How NOT to
    measure latency", 2013).

    Args:
        send: sends a request.
        calls: sent in this order, from the front again after the last.
        due_times: seconds from now, rising.
        stop: ends the loop early when set.
        observe: told of every sample at once, by any thread.

    Returns:
        One sample a request, in the order of the answers.
    """
    samples: list[Sample] = []
    under_way = 0
    changed = threading.Condition()
    start = time.perf_counter()

    def finished(kind: str, due: float, late: float, call: Any) -> None:
        nonlocal under_way
        latency = time.perf_counter() - start - due
        sample = Sample(kind, due, late, latency, *_outcome(call))
        if observe:
            observe(sample)
        with changed:
            samples.append(sample)
            under_way -= 1
            changed.notify()

    for prepared, due in zip(itertools.cycle(calls), due_times, strict=False):
        wait = due - (time.perf_counter() - start)
        if wait > 0:
            time.sleep(wait)
        if stop is not None and stop.is_set():
            break
        late = time.perf_counter() - start - due
        with changed:
            under_way += 1
        send(prepared.request).add_done_callback(
            lambda call, kind=prepared.kind, due=due, late=late: finished(kind, due, late, call)
        )
    with changed:
        # Every call has a deadline, so this ends.
        changed.wait_for(lambda: under_way == 0)
    return samples


def closed_loop(
    send: Send,
    calls: Sequence[PreparedCall],
    seconds: float,
    *,
    clients: int,
    stop: threading.Event | None = None,
    observe: Observe | None = None,
) -> list[Sample]:
    """Lets `clients` clients each ask again as soon as they are answered.

    Says how much a server can do. Its latencies are those that this many clients see, who wait
    for each other; they say nothing about visitors who come at times of their own.

    Args:
        send: sends a request.
        calls: taken in turns by all clients.
        seconds: no request is sent after this time.
        clients: how many ask at the same time.
        stop: ends the loop early when set.
        observe: told of every sample at once, by any thread.

    Returns:
        One sample a request, due when it was sent.
    """
    start = time.perf_counter()
    numbers = itertools.count()
    samples: list[Sample] = []

    def ask() -> None:
        while (due := time.perf_counter() - start) < seconds:
            if stop is not None and stop.is_set():
                return
            prepared = calls[next(numbers) % len(calls)]
            outcome = _outcome(send(prepared.request))
            latency = time.perf_counter() - start - due
            sample = Sample(prepared.kind, due, 0.0, latency, *outcome)
            samples.append(sample)
            if observe:
                observe(sample)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return samples


def _outcome(call: Any) -> tuple[str, int]:
    """Waits for a call's end; returns its status, or `EMPTY`, and the version that answered."""
    code = call.code()
    if code != grpc.StatusCode.OK:
        return code.name, 0
    response = call.result()
    return (OK if _has_result(response) else EMPTY), response.model_spec.version.value


def _has_result(response: Any) -> bool:
    """Whether the first item of an answer is one; a ranking answers with scores alone."""
    ids = response.outputs["item_id"].string_val if "item_id" in response.outputs else None
    return bool(response.outputs) if ids is None else bool(ids and ids[0])
