"""Figures of a version that was built again, beside those of when it was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfrec.training.run_list import FITTED
from tfrec.updating.gate import Verdict

SHARE = 0.05
"""By so much a figure without an interval may differ: order of sums, threads, random numbers."""
LEAST = 0.005
"""Figures of some shoppers that are smaller differ by chance alone."""
SAME = 0.001
"""Models that are not trained again differ by rounding only."""
TIMES = "milliseconds"


@dataclass(frozen=True)
class Figure:
    """One figure, twice.

    Attributes:
        name: what is measured.
        recorded: when the version was published.
        rebuilt: now; None if it could not be measured.
        noise: by how much they may differ.
    """

    name: str
    recorded: float
    rebuilt: float | None
    noise: float

    @property
    def is_same(self) -> bool:
        """Whether they differ by no more than noise."""
        return self.rebuilt is not None and abs(self.rebuilt - self.recorded) <= self.noise


def figures_of_verdicts(recorded: Verdict, rebuilt: Verdict) -> list[Figure]:
    """Compares what the gate measured then and now, on the same shoppers.

    Noise of a mean over shoppers is half of the recorded 95 % interval, which tells by how much
    two models differ that are equally good. Times are the machine's, and are left out.
    """
    now = {check.name: check for check in rebuilt.checks}
    figures = []
    for check in recorded.checks:
        if check.challenger is None or check.name.startswith(TIMES):
            continue
        again = now.get(check.name)
        noise = _noise(check.challenger)
        if check.low is not None and check.high is not None:
            noise = max((check.high - check.low) / 2, LEAST)
        figures.append(
            Figure(check.name, check.challenger, again.challenger if again else None, noise)
        )
        if check.champion is not None:
            figures.append(
                Figure(
                    f"{check.name}, old models",
                    check.champion,
                    again.champion if again else None,
                    max(SAME * abs(check.champion), 1e-6),
                )
            )
    return figures


def figures_of_metrics(recorded: Mapping[str, float], rebuilt: Mapping[str, float]) -> list[Figure]:
    """Compares what the trainings measured on validation data.

    What was picked from a few values is left out, as the next one is no difference to tell.
    """
    return [
        Figure(name, value, rebuilt.get(name), _noise(value))
        for name, value in recorded.items()
        if name not in FITTED
    ]


def _noise(value: float) -> float:
    return max(SHARE * abs(value), LEAST)


def differences(figures: Sequence[Figure]) -> list[str]:
    """Says of every figure that differs by more than noise what it was and is."""
    return [
        f"{figure.name} was {figure.recorded:.4f} and is "
        + ("not measured" if figure.rebuilt is None else f"{figure.rebuilt:.4f}")
        + f" (noise {figure.noise:.4f})"
        for figure in figures
        if not figure.is_same
    ]
