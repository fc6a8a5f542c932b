"""One image beside a representation's maps: on the picture in 2-D, along its edges in 1-D."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heatmap_research.drawing.maps import relative
from heatmap_research.drawing.style import Plain

Array = NDArray[np.float32]
TRUE, DECODED = "white", "#33dd33"


@dataclass(frozen=True)
class Example:
    """An image with its maps, and its true and decoded points in pixels.

    Maps are (joint, height, width), or (joint, height) and (joint, width); a regression has none.
    Points are NaN where a joint is not learnt, or was not looked for.
    """

    image: NDArray[np.uint8]  # (height, width, 3)
    maps: Sequence[Array]
    lines: Sequence[tuple[float, float]]  # of y and x: the pixel bin 0 sits on, pixels per bin
    truth: Array  # (joint, 2)
    decoded: Array  # (joint, 2)
    deviations: Array | None = None  # (joint, 2), that a regression has learnt

    def only(self, joints: Sequence[int]) -> "Example":
        """The same image with these joints alone."""
        few = list(joints)
        deviations = None if self.deviations is None else self.deviations[few]
        maps = [each[few] for each in self.maps]
        return Example(self.image, maps, self.lines, self.truth[few], self.decoded[few], deviations)


def draw(axes: Axes, example: Example) -> None:
    """Draws the image, its maps, true points (crosses) and decoded points (dots)."""
    height, width = example.image.shape[:2]
    axes.imshow(example.image, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set_axis_off()
    if len(example.maps) == 1:
        _overlay(axes, example)
    if len(example.maps) == 2:
        _traces(axes, example)
    if example.deviations is not None:
        _ellipses(axes, example.decoded, example.deviations)
    axes.plot(*example.truth.T, "+", color=TRUE, markersize=7, markeredgewidth=1.6)
    axes.plot(*example.decoded.T, "o", color=DECODED, markersize=3.5, markeredgecolor="black")
    axes.set_aspect("equal")


def sheet(label: Example, predicted: Example | None, names: Sequence[str], title: str) -> Figure:
    """All joints above; below, every joint by itself, its label over what was predicted."""
    nowhere = np.full_like(label.decoded, np.nan)
    bare = Example(label.image, [], label.lines, label.truth, nowhere)
    kinds = [label] if predicted is None else [label, predicted]
    wholes = dict(zip(("image", "label", "predicted"), [bare, *kinds], strict=False))
    columns = max(len(wholes), min(7, len(names)))
    rows = math.ceil(len(names) / columns) * len(kinds)
    figure = Plain(figsize=(2 * columns, 3.6 + 2.1 * rows), layout="constrained")
    wrapped = [textwrap.fill(line, 24 * columns) for line in title.splitlines()]
    figure.suptitle("\n".join(wrapped), fontsize=9)
    above, below = figure.subfigures(2, 1, height_ratios=[3.4, 2.1 * rows])
    for axes, (name, whole) in zip(above.subplots(1, len(wholes)), wholes.items(), strict=True):
        draw(axes, whole)
        axes.set_title(name, fontsize=10)
    _joint_by_joint(below.subplots(rows, columns, squeeze=False), kinds, names)
    return figure


def _joint_by_joint(cells: np.ndarray, kinds: Sequence[Example], names: Sequence[str]) -> None:
    for axes in cells.flat:
        axes.set_axis_off()
    columns = cells.shape[1]
    for joint, name in enumerate(names):
        for row, kind in enumerate(kinds):
            axes = cells[joint // columns * len(kinds) + row, joint % columns]
            draw(axes, kind.only([joint]))
            axes.set_title(name if row == 0 else f"{name}, predicted", fontsize=7)


def _overlay(axes: Axes, example: Example) -> None:
    """Draws all joints' maps as one, scaled to equal peaks; where they overlap the higher shows."""
    heat = relative(example.maps[0])
    (top, down), (left, across) = example.lines
    _, rows, columns = heat.shape
    extent = (
        left - across / 2,
        left + across * (columns - 0.5),
        top + down * (rows - 0.5),
        top - down / 2,
    )
    limits: dict[str, Any] = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    axes.imshow(heat.max(0), extent=extent, cmap="inferno", alpha=0.55, interpolation="nearest")
    axes.set(**limits)


def _traces(axes: Axes, example: Example) -> None:
    """Draws the vectors over columns above the image, and those over rows at its right."""
    height, width = example.image.shape[:2]
    rows, columns = (relative(each) for each in example.maps)
    (top, down), (left, across) = example.lines
    room = 0.3 * max(height, width)
    ys = top + down * np.arange(rows.shape[1])
    xs = left + across * np.arange(columns.shape[1])
    for joint, (row, column) in enumerate(zip(rows, columns, strict=True)):
        colour = f"C{joint % 10}"
        axes.plot(xs, -1 - room * column, "-", color=colour, linewidth=0.8)
        axes.plot(width + room * row, ys, "-", color=colour, linewidth=0.8)
    axes.set(xlim=(-0.5, width + room + 1), ylim=(height - 0.5, -room - 2))


def _ellipses(axes: Axes, points: Array, deviations: Array) -> None:
    """Draws an ellipse about each point, whose half axes are one standard deviation."""
    turn = np.linspace(0, 2 * np.pi, 60)
    for (x, y), (across, down) in zip(points, deviations, strict=True):
        axes.plot(x + across * np.cos(turn), y + down * np.sin(turn), color=DECODED, linewidth=0.7)
