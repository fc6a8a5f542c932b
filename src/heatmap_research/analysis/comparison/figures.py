"""Figures of runs; they take numbers and arrays, and know no network."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmap_research.analysis.comparison.groups import Arm
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
    """One dot a seed, a bar for their mean; the decoder chosen on val is filled."""
    place, ticks, labels = 0.0, [], []
    for arm, colour in zip(arms, COLOURS, strict=False):
        first = place
        for decoder in sorted(arm.decoders, key=lambda decoder: -arm.mean("test", decoder)):
            values = arm.errors("test", decoder)
            axes.bar(
                place,
                arm.mean("test", decoder),
                width=0.8,
                color=colour,
                alpha=1.0 if decoder == arm.chosen else 0.45,
                edgecolor="black" if decoder == arm.chosen else "none",
            )
            axes.plot([place] * len(values), values, "k.", markersize=4)
            ticks.append(place)
            labels.append(decoder)
            place += 1
        axes.hlines(arm.floor, first - 0.5, place - 0.5, "black", "dashed", linewidth=0.8)
        middle = (first + place - 1) / 2
        axes.annotate(
            f"{arm.name}, stride {arm.runs[0].stride:g}",
            (middle, 1.01),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            color=colour,
            weight="bold",
        )
        place += 1
    axes.set_xticks(ticks, labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_ylabel("mean error on test, pixels of the crop")
    axes.set_ylim(bottom=0)
    note = "dots: seeds   outlined: decoder chosen on val   dashed: argmax floor 0.3826 x stride"
    axes.text(0.995, 0.97, note, transform=axes.transAxes, ha="right", va="top", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
