"""When requests are due: at a constant rate, or at random times with a constant mean rate."""

import random
from collections.abc import Iterator
from typing import Literal

Arrivals = Literal["constant", "poisson"]


def due_times(rate: float, seconds: float, arrivals: Arrivals, seed: int) -> Iterator[float]:
    """Yields the times at which requests are due, in seconds from the start, rising.

    Args:
        rate: requests a second.
        seconds: no request is due at or after this time.
        arrivals: ``constant``, one every ``1 / rate`` seconds, or ``poisson``: gaps are drawn
            from the exponential distribution, as independent visitors make them.
        seed: of the random gaps.
    """
    generator = random.Random(seed)
    number, due = 0, 0.0
    while due < seconds:
        yield due
        number += 1
        # Multiplied and not added up: a long test must not drift.
        due = number / rate if arrivals == "constant" else due + generator.expovariate(rate)
