"""How many joints are found within a distance, over the distance."""

import numpy as np

from heatmap_research.analysis.page import drawings, errors
from heatmap_research.analysis.page.parts import Plot, Section
from heatmap_research.analysis.page.study import Study, label

POINTS = 160
FINEST = 0.05  # pixels of the crop


def section(study: Study) -> Section:
    shown = study.shown()
    lengths = [
        [errors.of(run, study.decoder(group)).lengths for run in group.runs.values()]
        for group in shown
    ]
    ends = [np.quantile(each, (0.01, 0.99)) for seeds in lengths for each in seeds if len(each)]
    low, high = (max(FINEST, min(e[0] for e in ends)), max(e[1] for e in ends)) if ends else (1, 2)
    places = np.geomspace(low, max(high, 2 * low), POINTS)
    figure, axes = drawings.panel((4.8, 3.4))
    for place, seeds in enumerate(lengths):
        shares = np.array([100 * _within(each, places) for each in seeds if len(each)])
        if not len(shares):
            continue
        colour = drawings.colour(place)
        least, most = shares.min(0), shares.max(0)
        axes.fill_between(places, least, most, color=colour, alpha=0.2, lw=0)
        axes.plot(places, shares.mean(0), drawings.style(place), color=colour, lw=1.6)
    drawings.logarithmic(axes, "x")
    axes.set_ylim(0, 101)
    axes.set_xlabel("distance from the truth, pixels of the crop")
    axes.set_ylabel("joints of test within it, %")
    caption = (
        "Share of labelled test joints whose error is at most the distance; higher and further "
        "left is better. Lines: means over seeds; bands: from the least to the largest seed. "
        f"Shown: {'; '.join(map(label, shown))}."
    )
    picture = drawings.svg(figure, "Cumulative error of test joints")
    return Section("Cumulative error", [Plot(caption, [picture], drawings.legend(study.arms))])


def _within(lengths: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(lengths), places, side="right") / len(lengths)
