"""How every figure looks: colours in their order, and axes without a frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from heatmap_research.runs.whole_file import written

COLOURS = ("#3366aa", "#66aadd", "#cc5533", "#e0a030", "#559944", "#884499")


class Plain(Figure):
    """A figure that shows texts as they are: the `$` of a name begins no formula."""

    def draw(self, renderer: Any) -> None:
        for text in set(self.findobj(Text)) - set(_powers(self)):
            text.set_parse_math(False)
        super().draw(renderer)


def save(figure: Figure, file: Path, dpi: float | str = "figure") -> None:
    """Matplotlib goes by a name's ending, which that of a part of a file does not have."""
    with written(file) as partial:
        figure.savefig(partial, dpi=dpi, format=file.suffix.removeprefix("."))


def _powers(figure: Figure) -> Iterator[Text]:
    """The labels that Matplotlib writes itself, as formulas; those of all axes are made here."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        labels = axis.get_ticklabels(which="both")
        if isinstance(axis.get_major_formatter(), LogFormatter):
            yield from labels


def blank(size: tuple[float, float]) -> Figure:
    """An empty figure of this width and height in inches, with room for titles at its edge."""
    return Plain(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def single(size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure of this width and height in inches with one pair of axes."""
    figure = blank(size)
    axes = figure.add_subplot()
    bare(axes)
    return figure, axes


def pair(size: tuple[float, float]) -> tuple[Figure, Axes, Axes]:
    """A figure of this width and height in inches with two axes side by side."""
    figure = blank(size)
    left, right = figure.subplots(1, 2)
    bare(left)
    bare(right)
    return figure, left, right


def frameless(axes: Axes) -> None:
    """Leaves the lines at the left and at the bottom."""
    axes.spines[["top", "right"]].set_visible(False)


def bare(axes: Axes) -> None:
    """Leaves two lines of the frame, over a faint grid."""
    frameless(axes)
    axes.grid(alpha=0.25)
