"""The figure of a demo: test errors by arm and decoder, and an image as each arm sees it."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmap_research.analysis.comparison.arms import Arm
from heatmap_research.drawing.example import Example, draw
from heatmap_research.drawing.style import COLOURS


def comparison(arms: Sequence[Arm], examples: Mapping[str, Example]) -> Figure:
    """Test error by arm and decoder above; below, the same image as each arm sees it."""
    figure = Figure(figsize=(3 * max(4, len(examples)), 8), layout="constrained")
    grid = figure.add_gridspec(2, max(1, len(examples)), height_ratios=[1.15, 1])
    errors(figure.add_subplot(grid[0, :]), arms)
    for column, (name, example) in enumerate(examples.items()):
        axes = figure.add_subplot(grid[1, column])
        draw(axes, example)
        axes.set_title(name, fontsize=10)
    return figure


def errors(axes: Axes, arms: Sequence[Arm]) -> None:
    """Dots are seeds and bars their means; the decoder chosen on val is filled."""
    names: dict[int, str] = {}  # of decoders, by their place
    first = 0
    for arm, colour in zip(arms, COLOURS, strict=False):
        decoders = sorted(arm.decoders, key=lambda decoder: -arm.mean("test", decoder))
        last = first + len(decoders) - 1
        for place, decoder in enumerate(decoders, first):
            names[place] = decoder
            _bar(axes, place, arm, decoder, colour)
        axes.hlines(arm.floor, first - 0.5, last + 0.5, "black", "dashed", linewidth=0.8)
        _head(axes, (first + last) / 2, arm, colour)
        first = last + 2
    axes.set_xticks(list(names), list(names.values()), fontsize=8)
    for name in axes.get_xticklabels():
        name.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.set_ylabel("mean error on test, pixels of the crop")
    axes.set_ylim(bottom=0)
    note = "dots: seeds   outlined: decoder chosen on val   dashed: argmax floor 0.3826 x stride"
    axes.text(0.995, 0.97, note, transform=axes.transAxes, ha="right", va="top", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _bar(axes: Axes, place: int, arm: Arm, decoder: str, colour: str) -> None:
    chosen = decoder == arm.chosen
    alpha, edge = (1.0, "black") if chosen else (0.45, "none")
    height = arm.mean("test", decoder)
    axes.bar(place, height, width=0.8, color=colour, alpha=alpha, edgecolor=edge)
    seeds = arm.errors("test", decoder)
    axes.plot([place] * len(seeds), seeds, "k.", markersize=4)


def _head(axes: Axes, middle: float, arm: Arm, colour: str) -> None:
    """The arm's name and stride above its bars."""
    axes.annotate(
        f"{arm.name}, stride {arm.runs[0].stride:g}",
        (middle, 1.01),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="bottom",
        color=colour,
        weight="bold",
    )
