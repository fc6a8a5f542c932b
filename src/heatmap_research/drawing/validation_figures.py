"""Figures of a run while it is trained."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from heatmap_research.drawing.example import Array, Example, draw
from heatmap_research.drawing.style import Plain, frameless

LEAST_PX = 0.05  # smaller errors are drawn as if they were as large


def samples(
    labels: Sequence[Example], predicted: Sequence[Example], names: Sequence[str], title: str
) -> Figure:
    """A column for each image: its label above, what is predicted below."""
    figure = Plain(figsize=(2.3 * len(labels) + 0.4, 5.4), layout="constrained")
    figure.suptitle(f"{title}\n+ truth, dot decoded", fontsize=9)
    rows = figure.subplots(2, len(labels), squeeze=False)
    for row, examples, word in zip(rows, (labels, predicted), ("label", "predicted"), strict=True):
        for axes, example, name in zip(row, examples, names, strict=True):
            draw(axes, example)
            axes.set_title(f"{word}, {name}", fontsize=8)
    return figure


def errors(by_decoder: Mapping[str, Array], title: str) -> Figure:
    """How many joints have which error in pixels: a histogram for each decoder, on a log scale."""
    largest = max([1.0, *(float(each.max()) for each in by_decoder.values() if len(each))])
    bins = np.geomspace(LEAST_PX, largest * 1.001, 41)
    figure = Plain(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, each in by_decoder.items():
        counts, _ = np.histogram(each.clip(LEAST_PX), bins)
        label = f"{name}: median {np.median(each):.2f}, mean {each.mean():.2f} px"
        axes.stairs(100 * counts / len(each), bins, label=label)
    axes.set_xlabel("distance from the truth, pixels of the crop")
    axes.set(xscale="log", ylim=(0, None), ylabel="joints in each bin, per cent")
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=7, loc="upper left")
    frameless(axes)
    return figure
