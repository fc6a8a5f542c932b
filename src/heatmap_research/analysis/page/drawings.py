"""Figures as pictures within a page: their colours are the page's, light or dark."""

import base64
import io
import re
from collections.abc import Sequence
from html import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from heatmap_research.drawing.style import COLOURS, bare, blank

ORDER = (0, 2, 4, 5, 3, 1)  # of COLOURS: neighbours are told apart
SIZE = (4.4, 3.2)  # inches: a panel is as wide as a phone
FAR = 4.0  # times the least: from there on a scale is logarithmic
STYLES = ("-", "--", ":", "-.")


def colour(place: int) -> str:
    return COLOURS[ORDER[place % len(ORDER)]]


def style(place: int) -> str:
    """Where colours begin again."""
    return STYLES[place // len(ORDER) % len(STYLES)]


def legend(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"var(--c{ORDER[i % len(ORDER)]})", name) for i, name in enumerate(names)]


def panel(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    figure = blank(size)
    axes = figure.add_subplot()
    bare(axes)
    return figure, axes


def logarithmic(axes: Axes, name: str) -> None:
    """Where numbers are far enough apart; 0.5 and 10 rather than powers."""
    axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
    low, high = sorted(axis.get_data_interval())
    if low <= 0 or high < FAR * low:
        return
    axes.set(**{f"{name}scale": "log"})
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def svg(figure: Figure, name: str) -> str:
    """`name` says what is seen, once in a page."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", transparent=True, dpi=120)
    drawn = text.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", drawn)  # of no use, and in every figure alike
    drawn = re.sub(r"(fill|stroke): #000000", r"\1: currentColor", drawn)
    drawn = re.sub(r"(fill|stroke): #ffffff", r"\1: var(--paper)", drawn)
    for place, known in enumerate(COLOURS):
        drawn = drawn.replace(known, f"var(--c{place})")
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(name)}" ', 1).strip()


def png(figure: Figure, name: str) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="{escape(name)}" src="data:image/png;base64,{data}">'
