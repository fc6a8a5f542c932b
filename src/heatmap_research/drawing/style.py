"""How every figure looks: colours in their order, and axes without a frame."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

COLOURS = ("#3366aa", "#66aadd", "#cc5533", "#e0a030", "#559944", "#884499")


def blank(size: tuple[float, float]) -> Figure:
    """An empty figure of this width and height in inches, with room for titles at its edge."""
    return Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


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
