"""Figures of arms side by side, from training to intervals; an arm keeps its colour throughout."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from heatmap_research.analysis.comparison.arms import Arm
from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.drawing.example import Example, draw
from heatmap_research.drawing.style import COLOURS, Plain, bare, blank, frameless, pair, single
from heatmap_research.runs.curves import Course

STYLES = ("-", "--", ":", "-.")
SHAPES = "osD^"
PerImage = Float[np.ndarray, " image"]


def comparison(arms: Sequence[Arm], examples: Mapping[str, Example]) -> Figure:
    """Test error by arm and decoder above; below, the same image as each arm sees it."""
    figure = Plain(figsize=(3 * max(4, len(examples)), 8), layout="constrained")
    grid = figure.add_gridspec(2, max(1, len(examples)), height_ratios=[1.15, 1])
    _errors(figure.add_subplot(grid[0, :]), arms)
    for column, (name, example) in enumerate(examples.items()):
        axes = figure.add_subplot(grid[1, column])
        draw(axes, example)
        axes.set_title(name, fontsize=10)
    return figure


def errors(arms: Sequence[Arm]) -> Figure:
    figure = blank((9, 4.4))
    axes = figure.add_subplot()
    _errors(axes, arms)
    axes.set_ylim(top=1.1 * axes.get_ylim()[1])  # its note is there
    return figure


def courses(panels: Mapping[str, Sequence[Course]], kinds: Mapping[str, str]) -> Figure:
    """A panel for each quantity, a line for each run, a style for each kind of run."""
    figure = blank((4.6 * len(panels), 3.9))
    arms = list(dict.fromkeys(c.run.arm for each in panels.values() for c in each))
    colours = dict(zip(arms, COLOURS, strict=False))
    styles = dict(zip(dict.fromkeys(kinds.values()), STYLES, strict=False))
    for axes, (name, those) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        bare(axes)
        for each in those:
            style, colour = styles[kinds[each.run.name]], colours[each.run.arm]
            axes.plot(each.step, each.value, style, color=colour, lw=1)
        axes.set(xlabel="training steps", ylabel=f"{name} (log)", yscale="log")
    entries = [Line2D([], [], color=c, lw=2, label=arm) for arm, c in colours.items()]
    entries += [Line2D([], [], color="grey", ls=s, lw=1, label=k) for k, s in styles.items()]
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), fontsize=9)
    return figure


def over(by_arm: Mapping[str, Mapping[float, Sequence[float]]], across: str, up: str) -> Figure:
    """Lines of arms through the means of seeds, which are marks; `by_arm` is then by the knob."""
    figure, axes = single((6.4, 4))
    for (arm, by_knob), colour, shape in zip(by_arm.items(), COLOURS, SHAPES, strict=False):
        knobs = sorted(by_knob)
        means = [np.mean(by_knob[knob]) for knob in knobs]
        axes.plot(knobs, means, "-", color=colour, lw=1.2, label=arm)
        for knob, seeds in by_knob.items():
            axes.plot([knob] * len(seeds), seeds, shape, color=colour, ms=5, mfc="none")
    axes.set_xticks(sorted({knob for by_knob in by_arm.values() for knob in by_knob}))
    axes.set_ylim(bottom=0)
    axes.set(xlabel=across, ylabel=up)
    axes.legend(title="mean of seeds (marks)", fontsize=9, title_fontsize=8)
    return figure


def paired(one: PerImage, other: PerImage, names: tuple[str, str], unit: str) -> Figure:
    """The same images under two arms: one error over the other, and their differences."""
    figure, left, right = pair((9.6, 4.2))
    top = 1.05 * max(one.max(), other.max())
    left.plot([0, top], [0, top], color="black", lw=0.8, ls=":")
    left.plot(other, one, "o", color="#666666", ms=3, mfc="none", alpha=0.7)
    left.set(xlim=(0, top), ylim=(0, top), aspect="equal")
    left.set(xlabel=f"error of {names[1]}, {unit}", ylabel=f"error of {names[0]}, {unit}")
    less = one - other
    edge = np.abs(less).max()
    right.hist(less, bins=np.linspace(-edge, edge, 34).tolist(), color="#bbbbbb")
    right.axvline(0, color="black", lw=0.8, ls=":")
    right.axvline(less.mean(), color="#cc5533", lw=1.5, label=f"mean {less.mean():+.3f}")
    right.set(xlabel=f"{names[0]} less {names[1]}, {unit}", ylabel="images")
    right.legend(fontsize=8)
    return figure


def intervals(rows: Mapping[str, Sequence[Interval]], words: str, margin: float) -> Figure:
    """A row for each comparison, in it a bar for each population; too small to matter is shaded."""
    populations = dict.fromkeys(i.population for each in rows.values() for i in each)
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
    axes.set(xlabel=words, ylim=(len(rows) - 0.4, -0.6))
    entries = [
        Line2D([], [], color=colour, marker=shape, lw=2, ms=5, label=name)
        for name, (colour, shape) in styles.items()
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _errors(axes: Axes, arms: Sequence[Arm]) -> None:
    """Dots are seeds and bars their means; the decoder chosen on val is filled and outlined."""
    names: dict[int, str] = {}  # of decoders, by their place
    first = 0
    for arm, colour in zip(arms, COLOURS, strict=False):
        decoders = sorted(arm.decoders, key=lambda decoder: -arm.mean("test", decoder))
        last = first + len(decoders) - 1
        for place, decoder in enumerate(decoders, first):
            names[place] = decoder
            _bar(axes, place, arm, decoder, colour)
        axes.hlines(arm.floor, first - 0.5, last + 0.5, "black", "dashed", linewidth=0.8)
        words = f"{arm.name}, stride {arm.runs[0].stride:g}"
        head = axes.text((first + last) / 2, 1.01, words, transform=axes.get_xaxis_transform())
        head.set(color=colour, weight="bold", ha="center", va="bottom")
        first = last + 2
    axes.set_xticks(list(names), list(names.values()), fontsize=8)
    for name in axes.get_xticklabels():
        name.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_ylabel("mean error on test, pixels of the crop")
    axes.set_ylim(bottom=0)
    note = "dots: seeds   outlined: decoder chosen on val   dashed: argmax floor 0.3826 x stride"
    axes.text(0.995, 0.97, note, transform=axes.transAxes, ha="right", va="top", fontsize=8)
    frameless(axes)


def _bar(axes: Axes, place: int, arm: Arm, decoder: str, colour: str) -> None:
    alpha, edge = (1.0, "black") if decoder == arm.chosen else (0.45, "none")
    height = arm.mean("test", decoder)
    axes.bar(place, height, width=0.8, color=colour, alpha=alpha, edgecolor=edge)
    seeds = arm.errors("test", decoder)
    axes.plot([place] * len(seeds), seeds, "k.", markersize=4)
