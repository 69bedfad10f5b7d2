"""A calibration curve as a picture."""

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from tfrec.evaluation.calibration import CalibrationCurve

PIXELS = (480, 480)
DOTS_AN_INCH = 80
RARE = 0.2
"""Below this largest probability of a bin, the axes are logarithmic."""

BARS = 40
TICKS = [digit * 10.0**power for power in range(-6, 0) for digit in (1, 2, 5)]


def plot_calibration(name: str, curve: CalibrationCurve, probabilities: np.ndarray) -> bytes:
    """Draws what was predicted against what happened, over the distribution of predictions.

    Args:
        name: the title.
        curve: the bins, at least one.
        probabilities: float `[num_examples]`, all predictions.

    Returns:
        A PNG of `PIXELS`.
    """
    size = (PIXELS[0] / DOTS_AN_INCH, PIXELS[1] / DOTS_AN_INCH)
    # Without pyplot, which would keep the figure and is not safe in threads.
    # A notebook's style may lay figures out by itself, and would not let the margins be set.
    with matplotlib.rc_context({"figure.constrained_layout.use": False}):
        figure = Figure(figsize=size, dpi=DOTS_AN_INCH)
    above, below = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    figure.subplots_adjust(left=0.16, right=0.96, top=0.93, bottom=0.11, hspace=0.08)
    rare = bool(curve.predicted.max() < RARE)
    smallest = max(min(curve.predicted.min(), curve.high.min()) / 2, 1e-6) if rare else 0.0
    largest = max(curve.predicted.max(), curve.high.max()) * 1.1
    _draw_curve(above, curve, smallest)
    above.set(
        title=f"{name}: predicted and observed",
        ylabel="share that happened, 95 % interval",
        ylim=(smallest, largest),
    )
    space = np.geomspace if rare else np.linspace
    below.hist(np.clip(probabilities, smallest, largest), bins=space(smallest, largest, BARS))
    below.set(xlabel="predicted probability", ylabel="examples", xlim=(smallest, largest))
    if rare:
        above.set(xscale="log", yscale="log")
        ticks = [tick for tick in TICKS if smallest <= tick <= largest]
        for axis in (above.xaxis, above.yaxis, below.xaxis):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            # A logarithmic axis would make dozens of them, which take most of the drawing.
            axis.set_minor_locator(NullLocator())
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw_curve(axes: Axes, curve: CalibrationCurve, smallest: float) -> None:
    ends = [smallest, 1.0]
    axes.plot(ends, ends, color="grey", linestyle="--", linewidth=1)
    # A bin in which nothing happened has no place on a logarithmic axis.
    observed = np.maximum(curve.observed, smallest)
    below = observed - np.maximum(curve.low, smallest)
    above = curve.high - observed
    errors = np.maximum([below, above], 0.0)
    axes.errorbar(curve.predicted, observed, yerr=errors, marker="o", capsize=3)
    axes.grid(alpha=0.3)
