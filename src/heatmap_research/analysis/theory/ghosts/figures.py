"""Figures of what marginals cannot say; they take maps and curves."""

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmap_research.analysis.theory.ghosts.maps import Map, Mode, marginals
from heatmap_research.analysis.theory.law_curves import LawCurve, legend_entries, panel
from heatmap_research.drawing.style import COLOURS, bare, blank, frameless, pair, single

MAP, LINE, GHOST = "magma_r", "#3366aa", "#cc5533"


def planes(maps: Mapping[str, Map], modes: Sequence[Mode], marked: Sequence[int]) -> Figure:
    """Each map with its marginals along its edges; circles where there is mass but no mode."""
    figure = blank((4.1 * len(maps), 4.1))
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    ghosts = [(one.middle[1], other.middle[0]) for one, other in permutations(modes, 2)]
    for axes, (name, plane) in zip(panels, maps.items(), strict=True):
        _plane(axes, plane)
        axes.set_title(name, fontsize=10)
    for place in marked:
        panels[place].plot(*np.transpose(ghosts), "o", ms=34, mfc="none", color=GHOST, mew=1.5)
    return figure


def mass_and_rate(masses: Sequence[LawCurve], rates: Sequence[LawCurve]) -> Figure:
    """Ghost mass of the product of marginals on the left, ghost rate of argmax on the right."""
    figure = blank((10.5, 4.3))
    left, right = figure.subplots(1, 2, sharey=True)
    panel(left, masses, "share of the first mode, q", "ghost mass: share of the map")
    panel(right, rates, "chance q that an axis chooses the first mode", "ghost rate: argmax")
    for axes, curves in ((left, masses), (right, rates)):
        axes.legend(handles=legend_entries(curves), fontsize=8, loc="upper left")
    right.tick_params(labelleft=True)
    left.set_ylim(-0.02, 0.72)
    return figure


def noise(curves: Sequence[LawCurve], share: float) -> Figure:
    figure, axes = single((7.8, 4.3))
    across = "noise of each bin, share of the map's scale (log)"
    panel(axes, curves, across, f"ghost rate, modes of {share:g} and {1 - share:g}")
    axes.set_xscale("log")
    axes.legend(handles=legend_entries(curves), fontsize=8)
    return figure


def anisotropic(plane: Map, answer: tuple[int, int], pairs: Mapping[bool, np.ndarray]) -> Figure:
    """A map whose marginals peak at different modes; and for which shares and widths they do.

    `pairs` holds rows of ratio and share, by whether the simulation made a ghost of them.
    """
    figure = blank((9.4, 4.2))
    left, right = figure.subplots(1, 2)
    _plane(left, plane)
    left.plot(answer[1], answer[0], "x", color=GHOST, ms=11, mew=2.5)
    left.set_title("cross: the highest bins of both marginals", fontsize=10)
    ratios = np.linspace(1, max(each[:, 0].max() for each in pairs.values()), 100)
    right.fill_between(ratios, 1 / (1 + ratios), ratios / (1 + ratios), color=GHOST, alpha=0.2)
    names = {True: ("o", GHOST, "ghost"), False: (".", "grey", "no ghost")}
    for ghost, each in pairs.items():
        marker, colour, words = names[ghost]
        right.plot(*each.T, marker, color=colour, ms=4, label=f"simulated: {words}")
    right.plot([], [], color=GHOST, lw=8, alpha=0.2, label="law: ghost")
    right.set(xlabel="longer over shorter sigma of each mode", ylabel="share of the first mode")
    right.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, 1), framealpha=0.9)
    bare(right)
    return figure


def fits(rows: Mapping[str, Mapping[str, Map]]) -> Figure:
    """A row for each label: the label, then its fits."""
    columns = max(len(row) for row in rows.values())
    figure = blank((1.75 * columns, 1.8 * len(rows) + 0.3))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, maps) in zip(grid, rows.items(), strict=True):
        highest = next(iter(maps.values())).max()
        for axes, plane in zip(line, maps.values(), strict=True):
            axes.imshow(plane, cmap=MAP, vmin=0, vmax=highest, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, fontsize=10)
    for axes, title in zip(grid[0], next(iter(rows.values())), strict=True):
        axes.set_title(title, fontsize=10)
    return figure


def ranks(excess: Sequence[LawCurve], ghosts: Sequence[LawCurve]) -> Figure:
    """Lines join what was fitted, by rank; crosses are the laws, which cover rank 1 only."""
    figure, left, right = pair((10.5, 4.2))
    _over_rank(left, excess, "cross-entropy above the label's entropy, nats")
    _over_rank(right, ghosts, "ghost mass of the best fit")
    fitted = [
        Line2D([], [], color=colour, marker="o", mfc="none", lw=1, label=curve.name)
        for curve, colour in zip(excess, COLOURS, strict=False)
    ]
    cross = Line2D([], [], color="grey", marker="+", ms=12, mew=1.5, ls="", label="law of rank 1")
    left.legend(handles=[*fitted, cross], fontsize=8)
    return figure


def elements(counts: Mapping[str, Sequence[float]], sizes: Sequence[tuple[int, int]]) -> Figure:
    """How many numbers are computed and looked through for each keypoint, as bars."""
    figure, axes = single((7.8, 4.3))
    width = 0.8 / len(counts)
    for place, (name, values) in enumerate(counts.items()):
        at = np.arange(len(sizes)) + (place - (len(counts) - 1) / 2) * width
        bars = axes.bar(at, values, 0.9 * width, color=COLOURS[place], label=name)
        axes.bar_label(bars, fmt="{:,.0f}", fontsize=6, rotation=90, padding=2)
    axes.set(xlabel="crop, height x width in pixels", ylabel="elements per keypoint (log)")
    axes.set_yscale("log")
    axes.set_ylim(top=axes.get_ylim()[1] * 2)
    axes.set_xticks(range(len(sizes)), [f"{height} x {width}" for height, width in sizes])
    axes.legend(fontsize=8, loc="upper left")
    return figure


def occlusion(distances: Sequence[LawCurve], similarities: Sequence[LawCurve]) -> Figure:
    figure, left, right = pair((10.5, 4.6))
    across = "share q of the likelier mode in the posterior"
    panel(left, distances, across, "expected error, bins")
    panel(right, similarities, across, "expected OKS")
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1)
    entries = legend_entries(distances)
    figure.legend(handles=entries, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _over_rank(axes: Axes, curves: Sequence[LawCurve], up: str) -> None:
    for curve, colour in zip(curves, COLOURS, strict=False):
        axes.plot(curve.across, curve.measured, "o-", color=colour, ms=5, mfc="none", lw=1)
        if curve.law is not None:
            axes.plot(curve.across, curve.law, "+", color=colour, ms=14, mew=1.5)
    axes.set_xscale("log", base=2)
    ticks = curves[0].across
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel="rank: pairs of vectors in the mixture (log)", ylabel=up)


def _plane(axes: Axes, plane: Map) -> None:
    """Draws a map with the sums of its columns above it and of its rows at its right."""
    height, width = plane.shape
    rows, columns = marginals(plane)
    room = 0.25 * max(height, width)
    axes.imshow(plane, cmap=MAP, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.plot(np.arange(width), -2 - room * columns / columns.max(), color=LINE, lw=1.2)
    axes.plot(width + 1 + room * rows / rows.max(), np.arange(height), color=LINE, lw=1.2)
    axes.set(xlim=(-0.5, width + room + 3), ylim=(height - 0.5, -room - 4))
    axes.set_xlabel("x, bins", loc="left")
    axes.set_ylabel("y, bins", loc="bottom")
    axes.set(xticks=[0, width // 2, width - 1], yticks=[0, height // 2, height - 1])
    frameless(axes)
