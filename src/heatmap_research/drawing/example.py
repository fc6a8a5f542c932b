"""One image as a representation sees it: maps on the picture in 2-D, traces on its edges in 1-D."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[np.float32]
TRUE, FOUND = "white", "#33dd33"


@dataclass(frozen=True)
class Example:
    """Maps are (joint, height, width), or (joint, height) and (joint, width); none in regression.

    A joint that is not learnt, or was not looked for, is NaN.
    """

    image: NDArray[np.uint8]  # (height, width, 3)
    maps: Sequence[Array]
    lines: Sequence[tuple[float, float]]  # of y and x: the pixel bin 0 sits on, pixels per bin
    truth: Array  # (joint, 2)
    found: Array  # (joint, 2)
    spread: Array | None = None  # (joint, 2): widths a regression has learnt

    def of(self, joint: int) -> "Example":
        one = slice(joint, joint + 1)
        spread = None if self.spread is None else self.spread[one]
        maps = [each[one] for each in self.maps]
        return Example(self.image, maps, self.lines, self.truth[one], self.found[one], spread)


def draw(axes: Axes, example: Example, style: str = "-") -> None:
    """Truth (cross), decoded point (dot) and maps."""
    height, width = example.image.shape[:2]
    axes.imshow(example.image, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_axis_off()
    if len(example.maps) == 1:
        _overlay(axes, example)
    if len(example.maps) == 2:
        _traces(axes, example, style)
    if example.spread is not None:
        _ellipses(axes, example.found, example.spread)
    axes.plot(*example.truth.T, "+", color=TRUE, markersize=7, markeredgewidth=1.6)
    axes.plot(*example.found.T, "o", color=FOUND, markersize=3.5, markeredgecolor="black")
    axes.set_aspect("equal")


def sheet(label: Example, predicted: Example | None, names: Sequence[str], title: str) -> Figure:
    """The whole figure above; below, every joint by itself, its label over what was predicted."""
    wholes = {"image": _bare(label), "label": label}
    if predicted is not None:
        wholes["predicted"] = predicted
    kinds = [label] if predicted is None else [label, predicted]
    columns = max(len(wholes), min(7, len(names)))
    rows = math.ceil(len(names) / columns) * len(kinds)
    figure = Figure(figsize=(2 * columns, 3.6 + 2.1 * rows), layout="constrained")
    wrapped = [textwrap.fill(line, 24 * columns) for line in title.splitlines()]
    figure.suptitle("\n".join(wrapped), fontsize=9)
    above, below = figure.subfigures(2, 1, height_ratios=[3.4, 2.1 * rows])
    for axes, (name, whole) in zip(above.subplots(1, len(wholes)), wholes.items(), strict=True):
        draw(axes, whole)
        axes.set_title(name, fontsize=10)
    cells = below.subplots(rows, columns, squeeze=False)
    for axes in cells.flat:
        axes.set_axis_off()
    for joint, name in enumerate(names):
        for row, kind in enumerate(kinds):
            axes = cells[joint // columns * len(kinds) + row, joint % columns]
            draw(axes, kind.of(joint))
            axes.set_title(name if row == 0 else f"{name}, predicted", fontsize=7)
    return figure


def _bare(example: Example) -> Example:
    nowhere = np.full_like(example.found, np.nan)
    return Example(example.image, [], example.lines, example.truth, nowhere)


def _overlay(axes: Axes, example: Example) -> None:
    """Each joint as high as the others, the highest on top."""
    heat = _relative(example.maps[0])
    (top, down), (left, across) = example.lines
    _, rows, columns = heat.shape
    extent = (
        left - across / 2,
        left + across * (columns - 0.5),
        top + down * (rows - 0.5),
        top - down / 2,
    )
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(
        heat.max(axis=0), extent=extent, cmap="inferno", alpha=0.55, interpolation="nearest"
    )
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _traces(axes: Axes, example: Example, style: str) -> None:
    """Over the columns above the image, beside the rows at its right."""
    height, width = example.image.shape[:2]
    rows, columns = (_relative(each) for each in example.maps)
    (top, down), (left, across) = example.lines
    room = 0.3 * max(height, width)
    ys = top + down * np.arange(rows.shape[1])
    xs = left + across * np.arange(columns.shape[1])
    for joint, (row, column) in enumerate(zip(rows, columns, strict=True)):
        colour = f"C{joint % 10}"
        axes.plot(xs, -1 - room * column, style, color=colour, linewidth=0.8)
        axes.plot(width + room * row, ys, style, color=colour, linewidth=0.8)
    axes.set_xlim(-0.5, width + room + 1)
    axes.set_ylim(height - 0.5, -room - 2)


def _ellipses(axes: Axes, found: Array, spreads: Array) -> None:
    """A standard deviation about each found point."""
    turn = np.linspace(0, 2 * np.pi, 60)
    for point, spread in zip(found, spreads, strict=True):
        x, y = point[0] + spread[0] * np.cos(turn), point[1] + spread[1] * np.sin(turn)
        axes.plot(x, y, color=FOUND, linewidth=0.7)


def _relative(heat: Array) -> Array:
    """To each joint's peak; what is below nothing is drawn as nothing."""
    positive = np.nan_to_num(np.clip(heat, 0, None))
    peak = positive.reshape(len(heat), -1).max(axis=1).clip(1e-9)
    return positive / peak.reshape(-1, *[1] * (heat.ndim - 1))
