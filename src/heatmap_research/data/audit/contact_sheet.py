"""Draws people of a data set beside each other, and one of them with its joints numbered."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from heatmap_research.runs import whole_file

LEFT, RIGHT, MIDDLE = "#ff7f0e", "#1f9bff", "#b9b9b9"
GREY = "#555555"
CELL_INCHES = 2.1
MAX_COLUMNS = 6
HEADER_INCHES = 3.8
WINDOW_SHARE = 1.2  # side of what is shown, in sides of what has to be seen
MIN_WINDOW = 16.0  # pixels
EDGE = "#222222"
NUMBER: dict[str, Any] = {  # of a joint, beside it
    "path_effects": [patheffects.withStroke(linewidth=1.8, foreground="white")],
    **{"textcoords": "offset points", "annotation_clip": False, "zorder": 4},
    **{"fontsize": 7, "ha": "center", "va": "center"},
}


@dataclass(frozen=True)
class Skeleton:
    """How the joints of a category are coloured and joined by bones."""

    names: Sequence[str]
    colours: Sequence[str]
    bones: Sequence[tuple[int, int]]

    def of_bone(self, bone: tuple[int, int]) -> str:
        colours = {self.colours[end] for end in bone}
        return colours.pop() if len(colours) == 1 else MIDDLE


@dataclass(frozen=True)
class DrawnPerson:
    name: str
    points: NDArray[np.float64]  # (joint, 3): x, y, visibility, in source pixels
    box: NDArray[np.float64]  # x, y, width, height; nan where there is none
    image: NDArray[np.uint8] | None = None  # (height, width, 3), the source

    @property
    def labelled(self) -> NDArray[np.bool_]:
        return (self.points[:, 2] > 0) & np.isfinite(self.points).all(1)

    @property
    def window(self) -> tuple[float, float, float]:
        """Middle x and y, and side, of a square around the box and every labelled point."""
        corners = np.stack([self.box[:2], self.box[:2] + self.box[2:]])
        seen = np.concatenate([self.points[self.labelled, :2], corners])
        seen = seen[np.isfinite(seen).all(1)]
        if not len(seen):
            return 0.0, 0.0, MIN_WINDOW
        low, high = seen.min(0), seen.max(0)
        x, y = (low + high) / 2
        return x, y, max(WINDOW_SHARE * float((high - low).max()), MIN_WINDOW)

    @property
    def told_apart(self) -> tuple[int, float]:
        """Number of points, and their usual distance; who has most is drawn with numbers."""
        points = self.points[self.labelled, :2]
        if len(points) < 2:
            return len(points), 0.0
        gaps = np.linalg.norm(points[:, None] - points, axis=-1)
        gaps[np.diag_indices(len(gaps))] = np.inf
        return len(points), float(np.median(gaps.min(1)) / self.window[2])


def sheet(people: Sequence[DrawnPerson], skeleton: Skeleton, title: str) -> Figure:
    columns = min(MAX_COLUMNS, max(4, len(people)))
    rows = math.ceil(len(people) / columns)
    heights = [HEADER_INCHES, (CELL_INCHES + 0.2) * rows]
    figure = Figure(figsize=(CELL_INCHES * columns, sum(heights) + 0.35), layout="constrained")
    figure.suptitle(title, fontsize=9, parse_math=False)
    above, below = figure.subfigures(2, 1, height_ratios=heights)
    _key(above, max(people, key=lambda person: person.told_apart), skeleton)
    cells = below.subplots(rows, columns, squeeze=False)
    for axes in cells.flat[len(people) :]:
        axes.set_axis_off()
    for axes, person in zip(cells.flat, people, strict=False):
        draw(axes, person, skeleton)
        axes.set_xlabel(person.name, fontsize=7, labelpad=2, parse_math=False)
    return figure


def write(figure: Figure, file: Path) -> None:
    with whole_file.written(file) as partial:
        figure.savefig(partial, dpi=130, format="png")


def draw(axes: Axes, person: DrawnPerson, skeleton: Skeleton, size: float = 1.0) -> None:
    _picture(axes, person)
    outline = [patheffects.withStroke(linewidth=2.6 * size, foreground=EDGE, alpha=0.6)]
    for bone in skeleton.bones:
        ends = list(bone)
        if person.labelled[ends].all():
            place, colour = person.points[ends, :2].T, skeleton.of_bone(bone)
            axes.plot(*place, color=colour, linewidth=1.5 * size, path_effects=outline)
    for joint in np.flatnonzero(person.labelled).tolist():
        x, y, visible = person.points[joint]
        filled = skeleton.colours[joint] if visible != 1 else "white"
        axes.plot(x, y, "o", **_marker(skeleton.colours[joint], filled, size))


def _marker(colour: str, filled: str, size: float) -> dict[str, Any]:
    """Draws a covered point as a ring in its colour, a visible one as a disc with a dark rim."""
    rim, width = (colour, 1.3) if filled == "white" else (EDGE, 0.6)
    face = {"markerfacecolor": filled, "markeredgecolor": rim, "markeredgewidth": width * size}
    return {"markersize": 4.2 * size, "zorder": 3, **face}


def _picture(axes: Axes, person: DrawnPerson) -> None:
    x, y, side = person.window
    if person.image is not None:
        left, top = max(int(x - side / 2), 0), max(int(y - side / 2), 0)
        crop = person.image[top : math.ceil(y + side / 2) + 1, left : math.ceil(x + side / 2) + 1]
        axes.set_facecolor("#e4e4e4")  # beyond the image
        if crop.size:
            below, beside = top + crop.shape[0], left + crop.shape[1]
            extent = (left - 0.5, beside - 0.5, below - 0.5, top - 0.5)
            axes.imshow(crop, extent=extent, interpolation="bilinear")
    if np.isfinite(person.box).all():
        a, b, w, h = person.box
        axes.plot([a, a + w, a + w, a, a], [b, b, b + h, b + h, b], color="#888888", linewidth=0.5)
    axes.set(xlim=(x - side / 2, x + side / 2), ylim=(y + side / 2, y - side / 2))
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")


def _key(above: SubFigure, person: DrawnPerson, skeleton: Skeleton) -> None:
    widths = [HEADER_INCHES, CELL_INCHES * MAX_COLUMNS - HEADER_INCHES]
    figure, words = above.subplots(1, 2, width_ratios=widths)
    draw(figure, person, skeleton, size=1.7)
    figure.set_xlabel(person.name, fontsize=7, labelpad=2, parse_math=False)
    centre = person.points[person.labelled, :2].mean(0) if person.labelled.any() else np.zeros(2)
    for joint in np.flatnonzero(person.labelled).tolist():
        place = person.points[joint, :2]
        away = (place - centre) / max(float(np.linalg.norm(place - centre)), 1e-9) * (9, -9)
        figure.annotate(str(joint), place, away, **NUMBER)
    _names(words, skeleton)


def _names(axes: Axes, skeleton: Skeleton) -> None:
    axes.set_axis_off()
    deep = max(20, math.ceil(len(skeleton.names) / 3))
    for joint, (name, colour) in enumerate(zip(skeleton.names, skeleton.colours, strict=True)):
        x, y = 0.02 + 0.33 * (joint // deep), 0.97 - (joint % deep) * 0.9 / deep
        shade = colour if colour != MIDDLE else GREY
        words = f"{joint}  {name}"
        axes.text(
            x,
            y,
            words,
            color=shade,
            fontsize=160 / deep,
            transform=axes.transAxes,
            parse_math=False,
        )
    for label, colour in (("left", LEFT), ("right", RIGHT), ("middle", MIDDLE)):
        axes.plot([], [], "-o", color=colour, label=label, **_marker(colour, colour, 1.5))
    for label, filled in (("visible", GREY), ("covered", "white")):
        axes.plot([], [], "o", color=GREY, label=label, **_marker(GREY, filled, 1.5))
    axes.legend(loc="lower left", ncols=5, fontsize=8, frameon=False)
