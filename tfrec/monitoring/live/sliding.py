"""Counts over the last stretch of time."""

from collections import Counter, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class SlidingCounter(Generic[K]):
    """Counts of the last `seconds`, in steps of a hundredth of that.

    Args:
        seconds: length of the window.
    """

    STEPS = 100

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.counts: Counter[K] = Counter()
        self._parts: deque[tuple[int, Counter[K]]] = deque()

    def add(self, key: K, time: float, count: int = 1) -> None:
        """Counts something that happened at `time` (unix seconds).

        What is older than the window is left out. What comes late counts at the newest time so
        far, so that parts stay in order and nothing is kept for ever.
        """
        step = int(time * self.STEPS / self.seconds)
        if not self._parts or step > self._parts[-1][0]:
            self._parts.append((step, Counter()))
        elif step <= self._parts[-1][0] - self.STEPS:
            return
        self._parts[-1][1][key] += count
        self.counts[key] += count

    def forget(self, now: float) -> None:
        """Drops what is older than the window at `now`."""
        oldest = int(now * self.STEPS / self.seconds) - self.STEPS
        while self._parts and self._parts[0][0] <= oldest:
            _, part = self._parts.popleft()
            self.counts -= part  # keeps positive counts only

    def __getitem__(self, key: K) -> int:
        return self.counts[key]

    def total(self) -> int:
        """Returns the sum of all counts."""
        return self.counts.total()
