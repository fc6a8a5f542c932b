"""Simulations beside their laws, and how both are drawn: markers are simulated, lines are laws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmap_research.drawing.style import COLOURS, bare, single

MARKERS = "osD^vP"

Points = Float[np.ndarray, " point"]
Values = Sequence[float] | Points


@dataclass(frozen=True, eq=False)
class LawCurve:
    """What was simulated, and what a law says of the same points, where there is one."""

    name: str
    across: Points
    measured: Points
    law: Points | None


def law_curve(name: str, across: Values, measured: Values, law: Values | None = None) -> LawCurve:
    known = None if law is None else np.asarray(law, float)
    return LawCurve(name, np.asarray(across, float), np.asarray(measured, float), known)


def beside_legend(
    curves: Sequence[LawCurve],
    size: tuple[float, float],  # inches
    across: str,
    up: str,
    floor: float = -math.inf,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """A figure with its legend to the right of the axes, where it covers nothing."""
    figure, axes = single(size)
    panel(axes, curves, across, up, floor)
    entries, corner = legend_entries(curves), (1.01, 1)
    axes.legend(handles=entries, title=title, fontsize=8, loc="upper left", bbox_to_anchor=corner)
    return figure, axes


def panel(
    axes: Axes, curves: Sequence[LawCurve], across: str, up: str, floor: float = -math.inf
) -> None:
    """Earlier markers are larger, or later ones would hide them."""
    bare(axes)
    for place, curve in enumerate(curves):
        draw(axes, curve, COLOURS[place], MARKERS[place], 8.5 - 1.2 * place, floor)
    axes.set(xlabel=across, ylabel=up)


def draw(
    axes: Axes, curve: LawCurve, colour: str, marker: str, size: float, floor: float = -math.inf
) -> None:
    """What lies below the floor is drawn on it; markers without a law are joined by dots."""
    measured = np.maximum(curve.measured, floor)
    axes.plot(curve.across, measured, marker, color=colour, ms=size, mfc="none")
    line, style = (measured, ":") if curve.law is None else (np.maximum(curve.law, floor), "-")
    axes.plot(curve.across, line, style, color=colour, lw=1)


def legend_entries(curves: Sequence[LawCurve]) -> list[Line2D]:
    """An entry for each curve, then in grey what markers and lines stand for."""
    entries = [
        Line2D([], [], color=colour, marker=marker, ms=5, mfc="none", lw=1, label=curve.name)
        for curve, colour, marker in zip(curves, COLOURS, MARKERS, strict=False)
    ]
    simulated = Line2D([], [], color="grey", marker="o", ls="", ms=5, mfc="none", label="simulated")
    return [*entries, simulated, Line2D([], [], color="grey", lw=1, label="law")]
