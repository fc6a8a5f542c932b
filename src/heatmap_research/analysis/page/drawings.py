"""Figures as pictures within a page: they take its colours, by day and by night."""

import base64
import io
import re
from collections.abc import Sequence

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from heatmap_research.drawing.style import COLOURS, single

ORDER = (0, 2, 4, 5, 3, 1)  # of COLOURS, so that neighbours are told apart
SIZE = (4.4, 3.2)  # inches: a panel is as wide as a phone
MIN_RATIO = 4.0  # of the greatest number to the least, for a logarithmic scale
STYLES = ("-", "--", ":", "-.")


def colour(place: int) -> str:
    return COLOURS[ORDER[place % len(ORDER)]]


def style(place: int) -> str:
    """The dashes of a line, which change where the colours begin again."""
    return STYLES[place // len(ORDER) % len(STYLES)]


def legend(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"var(--c{ORDER[i % len(ORDER)]})", name) for i, name in enumerate(names)]


def panel(x: str, y: str = "", size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, which have these labels."""
    figure, axes = single(size)
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def logarithmic(axes: Axes, name: str) -> None:
    """Makes an axis logarithmic if its numbers are far apart, with ticks such as 0.5 and 10."""
    axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
    low, high = sorted(axis.get_data_interval())
    if low <= 0 or high < MIN_RATIO * low:
        return
    axes.set(**{f"{name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def svg(figure: Figure, name: str) -> Markup:
    """The figure as part of a page; `name` says what is seen, and each name is used once."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, dpi=120)
    drawn = "<svg" + text.getvalue().partition("<svg")[2]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", drawn)  # of no use, and alike in every figure
    drawn = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", drawn)
    drawn = re.sub(r"(fill|stroke): #ffffff", r"\1: var(--paper)", drawn)
    for place, known in enumerate(COLOURS):
        drawn = drawn.replace(known, f"var(--c{place})")
    labelled = f'<svg role="img" aria-label="{escape(name)}" '
    return Markup(drawn.replace("<svg ", labelled, 1).strip())


def png(figure: Figure, name: str) -> Markup:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(content.getvalue()).decode()
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(name, data)
