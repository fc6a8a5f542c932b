"""Figures of runs; they take numbers and arrays, and know no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heatmap_research.analysis.comparison import Arm

COLOURS = ("#3366aa", "#66aadd", "#cc5533", "#e0a030", "#559944", "#884499")


@dataclass(frozen=True)
class Example:
    """What one arm made of one image."""

    image: NDArray[np.uint8]  # (height, width, 3)
    maps: Sequence[
        NDArray[np.float32]
    ]  # (joint, height, width), or (joint, height), (joint, width)
    truth: NDArray[np.float32]  # (joint, 2)
    found: NDArray[np.float32]  # (joint, 2)


def comparison(arms: Sequence[Arm], examples: Mapping[str, Example]) -> Figure:
    """Test error by arm and decoder above; below, the same image as each arm sees it."""
    figure = Figure(figsize=(3 * max(4, len(examples)), 8), layout="constrained")
    grid = figure.add_gridspec(2, max(1, len(examples)), height_ratios=[1.15, 1])
    errors(figure.add_subplot(grid[0, :]), arms)
    for column, (name, example) in enumerate(examples.items()):
        axes = figure.add_subplot(grid[1, column])
        show(axes, example)
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


def show(axes: Axes, example: Example) -> None:
    """Truth (cross), prediction (dot) and maps: an overlay in 2-D, traces on the edges in 1-D."""
    height, width = example.image.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(example.image, extent=extent)
    if len(example.maps) == 1:
        overlay = np.clip(example.maps[0], 0, None)
        overlay = (overlay / overlay.max(axis=(1, 2), keepdims=True).clip(1e-9)).max(axis=0)
        axes.imshow(overlay, extent=extent, cmap="inferno", alpha=0.55, interpolation="nearest")
    else:
        traces(axes, example)
    axes.plot(*example.truth.T, "w+", markersize=7, markeredgewidth=1.6)
    axes.plot(*example.found.T, "o", color="#33dd33", markersize=3.5, markeredgecolor="black")
    axes.set_axis_off()


def traces(axes: Axes, example: Example) -> None:
    """Each joint's two vectors: over the columns above the image, beside the rows at its right."""
    height, width = example.image.shape[:2]
    rows, columns = example.maps
    room = 0.3 * max(height, width)
    xs = (np.arange(columns.shape[1]) + 0.5) * width / columns.shape[1] - 0.5
    ys = (np.arange(rows.shape[1]) + 0.5) * height / rows.shape[1] - 0.5
    for joint in range(len(rows)):
        colour = f"C{joint % 10}"
        axes.plot(xs, -1 - room * columns[joint] / columns.max(), color=colour, linewidth=0.8)
        axes.plot(width + room * rows[joint] / rows.max(), ys, color=colour, linewidth=0.8)
    axes.set_xlim(-0.5, width + room + 1)
    axes.set_ylim(height - 0.5, -room - 2)
