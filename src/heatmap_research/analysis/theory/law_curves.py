"""Simulations beside their laws, and how both are drawn: markers are simulated, lines are laws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from heatmap_research.drawing.style import COLOURS

MARKERS = "osD^vP"

Points = Float[np.ndarray, " point"]


@dataclass(frozen=True, eq=False)
class LawCurve:
    """What was simulated, and what a law says of the same points, where there is one."""

    name: str
    across: Points
    measured: Points
    law: Points | None


def draw_all(axes: Axes, curves: Sequence[LawCurve], floor: float = -math.inf) -> None:
    """Earlier markers are larger, or later ones would hide them."""
    for place, curve in enumerate(curves):
        draw(axes, curve, COLOURS[place], MARKERS[place], 8.5 - 1.2 * place, floor)


def draw(
    axes: Axes, curve: LawCurve, colour: str, marker: str, size: float, floor: float = -math.inf
) -> None:
    """What lies below the floor is drawn on it; markers without a law are joined by dots."""
    measured = np.maximum(curve.measured, floor)
    axes.plot(curve.across, measured, marker, color=colour, ms=size, mfc="none")
    line, style = (measured, ":") if curve.law is None else (np.maximum(curve.law, floor), "-")
    axes.plot(curve.across, line, style, color=colour, lw=1)


def legend_beside(axes: Axes, curves: Sequence[LawCurve], title: str | None = None) -> None:
    """A legend to the right of the axes, where it covers nothing."""
    entries = legend_entries(curves)
    axes.legend(
        handles=entries, title=title, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1)
    )


def legend_entries(curves: Sequence[LawCurve]) -> list[Line2D]:
    """An entry for each curve, then what markers and lines stand for."""
    entries = [
        Line2D([], [], color=colour, marker=marker, ms=5, mfc="none", lw=1, label=curve.name)
        for curve, colour, marker in zip(curves, COLOURS, MARKERS, strict=False)
    ]
    return entries + kind_entries()


def kind_entries() -> list[Line2D]:
    """What markers and lines stand for, in grey."""
    return [
        Line2D([], [], color="grey", marker="o", ls="", ms=5, mfc="none", label="simulated"),
        Line2D([], [], color="grey", lw=1, label="law"),
    ]
