"""Curves on axes: markers are simulated, lines are laws."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from heatmap_research.analysis.theory.simulation.curve import Curve
from heatmap_research.drawing.style import COLOURS

MARKERS = "osD^vP"


def all_curves(axes: Axes, curves: Sequence[Curve], floor: float | None = None) -> None:
    """Earlier markers are larger, or later ones would hide them."""
    for place, curve in enumerate(curves):
        plot(axes, curve, COLOURS[place], MARKERS[place], 8.5 - 1.2 * place, floor)


def plot(
    axes: Axes, curve: Curve, colour: str, marker: str, size: float, floor: float | None = None
) -> None:
    measured = curve.measured if floor is None else np.maximum(curve.measured, floor)
    axes.plot(curve.across, measured, marker, color=colour, ms=size, mfc="none")
    if curve.law is None:
        axes.plot(curve.across, measured, ":", color=colour, lw=1)
    else:
        law = curve.law if floor is None else np.maximum(curve.law, floor)
        axes.plot(curve.across, law, "-", color=colour, lw=1)


def beside(axes: Axes, curves: Sequence[Curve], title: str | None = None) -> None:
    """Beside the axes, where nothing is drawn over."""
    entries = [*handles(curves), *kinds("grey")]
    axes.legend(
        handles=entries, title=title, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1)
    )


def handles(curves: Sequence[Curve]) -> list[Line2D]:
    kinds = zip(curves, COLOURS, MARKERS, strict=False)
    return [
        Line2D([], [], color=colour, marker=marker, ms=5, mfc="none", lw=1, label=curve.name)
        for curve, colour, marker in kinds
    ]


def kinds(colour: str) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker="o", ls="", ms=5, mfc="none", label="simulated"),
        Line2D([], [], color=colour, lw=1, label="law"),
    ]
