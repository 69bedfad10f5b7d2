"""A calibration curve as a picture."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfrec.evaluation.calibration import CalibrationCurve

INCHES = (5.0, 5.0)
DOTS_AN_INCH = 90
RARE = 0.2
"""Below this largest probability of a bin, both axes are logarithmic."""


def plot_calibration(name: str, curve: CalibrationCurve, probabilities: np.ndarray) -> np.ndarray:
    """Draws what was predicted against what happened, over the distribution of predictions.

    Args:
        name: the title.
        curve: the bins.
        probabilities: float `[num_examples]`, all predictions.

    Returns:
        uint8 `[height, width, 3]`.
    """
    figure = Figure(figsize=INCHES, dpi=DOTS_AN_INCH, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    logarithmic = curve.predicted.max() < RARE
    smallest = max(min(curve.predicted.min(), curve.high.min()) / 2, 1e-6) if logarithmic else 0.0
    largest = max(curve.predicted.max(), curve.high.max()) * 1.1
    if logarithmic:
        above.set_xscale("log")
        above.set_yscale("log")
    above.plot([smallest, largest], [smallest, largest], color="grey", linestyle="--", linewidth=1)
    low = np.maximum(curve.low, smallest)
    observed = np.maximum(curve.observed, smallest)
    above.errorbar(
        curve.predicted,
        observed,
        yerr=[np.maximum(observed - low, 0), np.maximum(curve.high - observed, 0)],
        marker="o",
        capsize=3,
    )
    above.set(
        title=f"{name}: predicted and observed",
        ylabel="share that happened, 95 % interval",
        xlim=(smallest, largest),
        ylim=(smallest, largest),
    )
    above.grid(alpha=0.3)
    shown = np.clip(probabilities, smallest, largest)
    space = np.geomspace if logarithmic else np.linspace
    below.hist(shown, bins=space(smallest, largest, 40))
    below.set(xlabel="predicted probability", ylabel="examples")
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
