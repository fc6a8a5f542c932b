"""Figures of decoders' errors: markers are simulated, lines are laws."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from heatmap_research.analysis.theory import law_curves
from heatmap_research.analysis.theory.law_curves import LawCurve
from heatmap_research.drawing.style import COLOURS, bare, blank, pair


def staircase(curves: Sequence[LawCurve], stride: float) -> Figure:
    """Each decoder's answers above, and their errors below."""
    figure = blank((3.2 * len(curves), 5.4))
    above, below = figure.subplots(2, len(curves), sharex=True, sharey="row", squeeze=False)
    for curve, colour, upper, lower in zip(curves, COLOURS, above, below, strict=False):
        law = None if curve.law is None else curve.law - curve.across
        error = LawCurve(curve.name, curve.across, curve.measured - curve.across, law)
        for axes, each in ((upper, curve), (lower, error)):
            law_curves.draw(axes, each, colour, "o", 3)
            bare(axes)
        upper.plot(curve.across, curve.across, color="black", lw=0.6, ls=":")
        mean = np.abs(error.measured).mean()
        lower.set_title(f"mean size {mean:.3f} px", fontsize=9)
        upper.set_title(curve.name, fontsize=10, color=colour, weight="bold")
        lower.set_xlabel("true position, input pixels")
        lower.xaxis.set_major_locator(MultipleLocator(stride))
        lower.axhline(0, color="black", lw=0.6, ls=":")
    above[0].set_ylabel("decoded position, input pixels")
    below[0].set_ylabel("error, input pixels")
    kinds = law_curves.legend_entries([])
    figure.legend(handles=kinds, loc="outside lower right", ncols=2, fontsize=9)
    return figure


def by_stride(curves: Sequence[LawCurve]) -> Figure:
    across = "stride, input pixels per bin (log; 1/k is SimCC's split ratio k)"
    up = "mean error, input pixels (log; less than 0.01 drawn there)"
    figure, axes = law_curves.beside_legend(curves, (8.4, 4.6), across, up, floor=0.01)
    _logarithmic(axes, _places(curves), lambda x: f"{x:g}" if x >= 1 else f"1/{1 / x:.0f}")
    return figure


def by_width(curves: Sequence[LawCurve]) -> Figure:
    up = "mean error, bins (log; less than 0.0001 drawn there)"
    across = "sigma of the label, bins (log)"
    figure, axes = law_curves.beside_legend(curves, (8.4, 4.6), across, up, floor=1e-4)
    _logarithmic(axes, [0.25, 0.5, 1, 2, 4])
    return figure


def border(curves: Sequence[LawCurve]) -> Figure:
    across = "distance of the true point from the edge of the map, sigmas of the label"
    up = "bias of the mean, away from the edge, sigmas"
    return law_curves.beside_legend(curves, (7.4, 4.2), across, up, title="sigma of the label")[0]


def background(
    biases: Sequence[LawCurve], worst: Sequence[LawCurve], shape: tuple[int, ...]
) -> Figure:
    """Errors over the map on the left; on the right the largest of them over the peak's height."""
    figure, left, right = pair((10.5, 4.2))
    across = f"true x on a map of {shape[0]} x {shape[1]}, bins"
    law_curves.panel(left, biases, across, "error of the mean along x, bins")
    high, far = "height of the peak before the softmax", "largest error of the mean, bins (log)"
    law_curves.panel(right, worst, high, far)
    right.set_yscale("log")
    for axes, curves in ((left, biases), (right, worst)):
        axes.legend(handles=law_curves.legend_entries(curves), fontsize=8)
    return figure


def dithered(curves: Sequence[LawCurve], floors: dict[str, float]) -> Figure:
    across = "width of the network's posterior along each axis, bins"
    figure, axes = law_curves.beside_legend(curves, (7.4, 4.2), across, "mean error, bins")
    for style, (words, value) in zip(("--", ":"), floors.items(), strict=False):
        axes.axhline(value, color="black", lw=0.9, ls=style)
        edge = axes.get_yaxis_transform()
        axes.annotate(words, (1, value), (0, 5), edge, "offset points", ha="right", fontsize=8)
    axes.set_ylim(0, 0.42)
    return figure


def oks_losses(curves: Sequence[LawCurve]) -> Figure:
    across, up = "stride, input pixels per bin (log)", "OKS lost to argmax, 1 - mean OKS (log)"
    figure, axes = law_curves.beside_legend(
        curves, (7.4, 4.2), across, up, title="crop, height x width"
    )
    _logarithmic(axes, _places(curves))
    return figure


def _places(curves: Sequence[LawCurve]) -> list[float]:
    return sorted({float(x) for curve in curves for x in curve.across})


def _logarithmic(
    axes: Axes, ticks: Sequence[float], words: Callable[[float], str] = "{:g}".format
) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(ticks, [words(x) for x in ticks])
