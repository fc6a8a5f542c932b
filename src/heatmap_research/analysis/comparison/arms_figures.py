"""Figures of arms side by side, from training to intervals; an arm keeps its colour throughout."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmap_research.analysis.comparison import figures
from heatmap_research.analysis.comparison.arms import Arm
from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.drawing.style import COLOURS, bare, blank, single
from heatmap_research.runs.curves import Course

STYLES = ("-", "--", ":", "-.")
SHAPES = "osD^"
PerImage = Float[np.ndarray, " image"]


def courses(panels: Mapping[str, Sequence[Course]], kinds: Mapping[str, str]) -> Figure:
    """A panel for each quantity, a line for each run, a style for each kind of run."""
    figure = blank((4.6 * len(panels), 3.9))
    arms = list(dict.fromkeys(c.run.arm for each in panels.values() for c in each))
    styles = dict(zip(dict.fromkeys(kinds.values()), STYLES, strict=False))
    for axes, (name, those) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        bare(axes)
        for course in those:
            colour = COLOURS[arms.index(course.run.arm)]
            style = styles[kinds[course.run.name]]
            axes.plot(course.step, course.value, style, color=colour, lw=1)
        axes.set_yscale("log")
        axes.set_xlabel("training steps")
        axes.set_ylabel(f"{name} (log)")
    entries = [
        Line2D([], [], color=c, lw=2, label=arm) for arm, c in zip(arms, COLOURS, strict=False)
    ]
    entries += [Line2D([], [], color="grey", ls=s, lw=1, label=k) for k, s in styles.items()]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), fontsize=9)
    return figure


def errors(arms: Sequence[Arm]) -> Figure:
    figure = blank((9, 4.4))
    axes = figure.add_subplot()
    figures.errors(axes, arms)
    axes.set_ylim(top=1.1 * axes.get_ylim()[1])  # its note is there
    return figure


def over(by_arm: Mapping[str, Mapping[float, Sequence[float]]], across: str, up: str) -> Figure:
    """Lines of arms through the means of seeds, which are marks; `by_arm` is then by the knob."""
    figure, axes = single((6.4, 4))
    for (arm, by_knob), colour, shape in zip(by_arm.items(), COLOURS, SHAPES, strict=False):
        knobs = sorted(by_knob)
        means = [np.mean(by_knob[knob]) for knob in knobs]
        axes.plot(knobs, means, "-", color=colour, lw=1.2, label=arm)
        for knob in knobs:
            seeds = by_knob[knob]
            axes.plot([knob] * len(seeds), seeds, shape, color=colour, ms=5, mfc="none")
    axes.set_xticks(sorted({knob for by_knob in by_arm.values() for knob in by_knob}))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend(title="mean of seeds (marks)", fontsize=9, title_fontsize=8)
    return figure


def paired(one: PerImage, other: PerImage, names: tuple[str, str], unit: str) -> Figure:
    """The same images under two arms: one error over the other, and their differences."""
    figure = blank((9.6, 4.2))
    left, right = figure.subplots(1, 2)
    top = 1.05 * max(one.max(), other.max())
    left.plot([0, top], [0, top], color="black", lw=0.8, ls=":")
    left.plot(other, one, "o", color="#666666", ms=3, mfc="none", alpha=0.7)
    left.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    left.set_xlabel(f"error of {names[1]}, {unit}")
    left.set_ylabel(f"error of {names[0]}, {unit}")
    _differences(right, one - other, f"{names[0]} less {names[1]}, {unit}")
    for axes in (left, right):
        bare(axes)
    return figure


def intervals(rows: Mapping[str, Sequence[Interval]], words: str, margin: float) -> Figure:
    """A row for each comparison, in it a bar for each population; too small to matter is shaded."""
    populations = list(dict.fromkeys(i.population for each in rows.values() for i in each))
    styles = dict(zip(populations, zip(COLOURS[::-1], SHAPES, strict=False), strict=False))
    figure, axes = single((8.4, 1.5 + 0.62 * len(rows) + 0.18 * len(populations)))
    axes.axvspan(-margin, margin, color="grey", alpha=0.15, lw=0)
    axes.axvline(0, color="black", lw=0.8)
    for row, bars in enumerate(rows.values()):
        for place, bar in enumerate(bars):
            colour, shape = styles[bar.population]
            y = row + 0.2 * (place - (len(bars) - 1) / 2)
            axes.plot([bar.low, bar.high], [y, y], color=colour, lw=2)
            axes.plot(bar.estimate, y, shape, color=colour, ms=5)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(words)
    entries = [
        Line2D([], [], color=colour, marker=shape, lw=2, ms=5, label=name)
        for name, (colour, shape) in styles.items()
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _differences(axes: Axes, values: PerImage, words: str) -> None:
    edge = np.abs(values).max()
    axes.hist(values, bins=np.linspace(-edge, edge, 34).tolist(), color="#bbbbbb")
    axes.axvline(0, color="black", lw=0.8, ls=":")
    axes.axvline(values.mean(), color="#cc5533", lw=1.5, label=f"mean {values.mean():+.3f}")
    axes.set_xlabel(words)
    axes.set_ylabel("images")
    axes.legend(fontsize=8)
