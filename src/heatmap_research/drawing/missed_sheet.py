"""People beside each other, each cut out of its picture: where joints are, and where they were
found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heatmap_research.drawing.style import Plain

CELL_INCHES = 3.0
MAX_COLUMNS = 6
ROOM = 0.12  # beside what has to be seen, in sides of it
LEAST_SIDE = 24.0  # pixels
SHARP = (120, 240)  # dots per inch: enough for a pixel of the source, as far as a sheet may grow
USUAL_JOINTS = 17  # more are drawn smaller
TRUE, FOUND, BETWEEN = "white", "#33dd33", "#ff4433"


@dataclass(frozen=True)
class Cell:
    title: str
    image: NDArray[np.uint8]  # (height, width, 3)
    true: NDArray[np.float64]  # (joint, 2): x, y in pixels of the image; nan: not shown
    found: NDArray[np.float64]  # (joint, 2)
    box: NDArray[np.float64]  # x, y, width, height

    @property
    def window(self) -> tuple[float, float, float]:
        """Middle x and y, and side, of a square with the box and all points in it."""
        corners = np.stack([self.box[:2], self.box[:2] + self.box[2:]])
        seen = np.concatenate([self.true, self._near(self.found, corners), corners])
        seen = seen[np.isfinite(seen).all(1)]
        low, high = seen.min(0), seen.max(0)
        x, y = (low + high) / 2
        return float(x), float(y), max((1 + 2 * ROOM) * float((high - low).max()), LEAST_SIDE)

    def _near(self, points: NDArray[np.float64], corners: NDArray[np.float64]) -> np.ndarray:
        """Without points so far away that a person would be too small to be seen."""
        side = (corners[1] - corners[0]).max()
        off = np.abs(points - corners.mean(0)).max(1)
        return np.where((off < 1.5 * side)[:, None], points, np.nan)


def sheet(cells: Sequence[Cell], title: str, most: int = MAX_COLUMNS) -> Figure:
    """Crosses are the truth, dots what was found, and a line joins the two of a joint."""
    columns = min(most, len(cells))
    rows = math.ceil(len(cells) / columns)
    size = (CELL_INCHES * columns, (CELL_INCHES + 0.3) * rows + 0.5 * bool(title))
    figure = Plain(figsize=size, layout="constrained", dpi=_dots(cells))
    if title:
        figure.suptitle(title, fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for place, cell in zip(axes, cells, strict=False):
        _draw(place, cell)
    for empty in figure.get_axes()[len(cells) :]:
        empty.set_axis_off()
    return figure


def _dots(cells: Sequence[Cell]) -> float:
    sides = [cell.window[2] for cell in cells]
    return float(np.clip(np.median(sides) / CELL_INCHES, *SHARP))


def _draw(axes: Axes, cell: Cell) -> None:
    x, y, side = cell.window
    height, width = cell.image.shape[:2]
    axes.set_facecolor("#e4e4e4")  # beyond the image
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(cell.image, extent=extent, interpolation="nearest")
    joints = int(np.isfinite(cell.true).all(1).sum())
    size = math.sqrt(min(1.0, USUAL_JOINTS / max(joints, 1)))
    lines = np.stack([cell.true, cell.found], axis=1)
    known = np.isfinite(lines).all((1, 2))
    axes.add_collection(LineCollection(list(lines[known]), colors=BETWEEN, linewidths=1.2 * size))
    for colour, wide in (("black", 2.2), (TRUE, 1.2)):
        axes.plot(*cell.true.T, "+", color=colour, ms=7 * size, mew=wide * size)
    axes.plot(*cell.found.T, "o", color=FOUND, ms=4 * size, mec="black", mew=0.5 * size)
    axes.set(xlim=(x - side / 2, x + side / 2), ylim=(y + side / 2, y - side / 2))
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.set_title(cell.title, fontsize=7.5)
    axes.spines[:].set_color("#cccccc")
