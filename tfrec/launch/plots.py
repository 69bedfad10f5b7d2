"""The pictures of a launch report."""

import base64
import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from tfrec.launch.expectations import Launch, LaunchKit
from tfrec.launch.season import WEEKDAYS, WEEKS

DOTS_AN_INCH = 90
SHOWN = 40
"""Launches in the overview; those after them are in the table."""


def overview(kit: LaunchKit) -> str:
    """Draws the expected customers of all launches with their intervals; returns an image URI."""
    launches = kit.launches[:SHOWN][::-1]
    figure = _figure(8.5, 1.2 + 0.24 * len(launches))
    axes = figure.subplots()
    middle = np.array([launch.customers.median for launch in launches])
    low = np.array([launch.customers.low for launch in launches])
    high = np.array([launch.customers.high for launch in launches])
    axes.errorbar(
        middle,
        np.arange(len(launches)),
        xerr=np.maximum([middle - low, high - middle], 0.0),
        fmt="o",
        capsize=2,
    )
    axes.set_yticks(np.arange(len(launches)), [_short(launch.title) for launch in launches])
    axes.set(xlabel=f"customers in the first {kit.days} days, {kit.coverage:.0%} interval")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    return _uri(figure)


def seasons(launch: Launch) -> str:
    """Draws the demand for products of a kind over the year and the week; returns an image URI."""
    figure = _figure(8.5, 2.2)
    year, week = figure.subplots(1, 2, width_ratios=[3, 1])
    year.plot(np.arange(1, WEEKS + 1), launch.season.week, marker=".")
    year.axhline(1.0, color="grey", linewidth=1, linestyle="--")
    year.set(xlabel="launched in week of the year", ylabel="demand, 1 is average")
    year.set_ylim(bottom=0)
    week.bar(np.arange(7), launch.season.weekday)
    week.set_xticks(np.arange(7), [name[:2] for name in WEEKDAYS])
    for axes in (year, week):
        axes.grid(alpha=0.3)
    return _uri(figure)


def _figure(width: float, height: float) -> Figure:
    # Without pyplot, which would keep the figure and is not safe in threads.
    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        return Figure(figsize=(width, height), dpi=DOTS_AN_INCH)


def _short(title: str, length: int = 38) -> str:
    # A dollar sign would begin a formula.
    shown = title if len(title) <= length else title[: length - 1] + "…"
    return shown.replace("$", r"\$")


def _uri(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
