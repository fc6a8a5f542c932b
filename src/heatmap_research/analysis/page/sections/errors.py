"""Errors of test joints: the share within a distance, and means by the sub-pixel phase."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float64
from markupsafe import Markup

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.error_budget.profiles import Profile, profile
from heatmap_research.analysis.error_budget.state import phase
from heatmap_research.analysis.page import drawings
from heatmap_research.analysis.page.parts import Plot, Section, Words
from heatmap_research.analysis.page.study import Study, labels
from heatmap_research.runs.find import Run

COLUMNS = ["x", "y", "x_true", "y_true", "visible"]
DISTANCES = 160  # at which shares of joints are drawn
MIN_DISTANCE = 0.05  # crop pixels
PHASE_EDGES = np.linspace(-0.5, 0.5, 13)  # bins
MAX_BINS = 2.0  # of the coarsest arm: a larger error is no matter of bins
Points = Float64[np.ndarray, "joint 2"]
Values = Callable[[Profile], tuple[np.ndarray, np.ndarray]]  # means, standard errors
MEANS: dict[str, Values] = {
    "mean error with its sign, px": lambda each: (each.bias, each.deviation),
    "mean size of the error, px": lambda each: (each.absolute, each.absolute_deviation),
}


def cumulative(study: Study) -> Section:
    shown = study.shown()
    lengths = [[np.hypot(*e.T) for _, e in _by_seed(study, group) if len(e)] for group in shown]
    up = "joints of test within it, %"
    figure, axes = drawings.panel("distance from the truth, pixels of the crop", up, (4.8, 3.4))
    distances = _distances(list(chain(*lengths)))
    for place, seeds in enumerate(lengths):
        if not seeds:
            continue
        within = [
            np.searchsorted(np.sort(each), distances, "right").astype(float) for each in seeds
        ]
        shares = np.array([100 * n / len(each) for n, each in zip(within, seeds, strict=True)])
        colour = drawings.colour(place)
        axes.fill_between(distances, shares.min(0), shares.max(0), color=colour, alpha=0.2, lw=0)
        axes.plot(distances, shares.mean(0), drawings.style(place), color=colour, lw=1.6)
    drawings.logarithmic(axes, "x")
    axes.set_ylim(0, 101)
    caption = (
        "Share of labelled test joints whose error is at most the distance; higher and further "
        "left is better. Lines: means over seeds; bands: from the least to the largest seed. "
        f"Shown: {labels(shown)}."
    )
    picture = drawings.svg(figure, "Cumulative error of test joints")
    return Section("Cumulative error", [Plot(caption, [picture], drawings.legend(study.arms))])


def by_phase(study: Study) -> Section:
    title = "Error against sub-pixel phase"
    shown = [group for group in study.shown() if study.seen_of(group).lines is not None]
    if not shown:
        need = "This needs the runs' networks, which say where bins lie; see the notes on arms."
        return Section(title, [Words(need, "note")])
    reach = MAX_BINS * max(1.0, *(step for g in shown for _, step in study.seen_of(g).lines or ()))
    profiles = {group.arm: _profiles(study, group, reach) for group in shown}
    pictures = [_panel(study, profiles, axis, words) for words in MEANS for axis in (0, 1)]
    caption = (
        "Test error along each axis over the truth's place in its bin (0: the middle; a "
        "regression: in its pixel), seeds pooled, without errors beyond "
        f"{reach:g} pixels. Bands: two standard errors; they cover other joints "
        f"of these seeds and images, no others. Shown: {labels(shown)}."
    )
    return Section(title, [Plot(caption, pictures, drawings.legend(study.arms))])


def _by_seed(study: Study, group: Group) -> list[tuple[Points, Points]]:
    """The truth and the errors of labelled joints of test, in pixels of the crop."""
    return [_read(run, study.decoder(group)) for run in group.runs.values()]


def _read(run: Run, decoder: str) -> tuple[Points, Points]:
    table = run.predictions("test", decoder, COLUMNS).filter(pc.field("visible") > 0)
    x, y, *true = (table[name].to_numpy().astype(np.float64) for name in COLUMNS[:4])
    truth = np.stack(true, -1)
    return truth, np.stack([x, y], -1) - truth


def _distances(lengths: Sequence[np.ndarray]) -> Float64[np.ndarray, " distance"]:
    """From where 1 % of some run's joints are found to where 99 % of every run's are."""
    ends = [np.quantile(each, (0.01, 0.99)) for each in lengths] or [(1.0, 2.0)]
    low = max(MIN_DISTANCE, min(near for near, _ in ends))
    return np.geomspace(low, max(2 * low, *(far for _, far in ends)), DISTANCES)


def _profiles(study: Study, group: Group, reach: float) -> list[Profile]:
    truth, errors = map(np.concatenate, zip(*_by_seed(study, group), strict=True))
    near = np.hypot(*errors.T) <= reach
    phases = phase(truth[near], study.seen_of(group).lines or ())
    return [profile(phases[:, a], errors[near, a], PHASE_EDGES) for a in (0, 1)]


def _panel(study: Study, by_arm: Mapping[str, list[Profile]], axis: int, words: str) -> Markup:
    along, values = "xy"[axis], MEANS[words]
    figure, axes = drawings.panel(f"place in the bin along {along}, bins", words)
    for arm, profiles in by_arm.items():
        middle, (mean, error) = profiles[axis].middle, values(profiles[axis])
        colour = drawings.colour(study.arms.index(arm))
        axes.fill_between(middle, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, lw=0)
        axes.plot(middle, mean, "o-", ms=3, lw=1.2, color=colour)
    axes.axhline(0, color="grey", lw=0.6)
    if all(np.all(values(profiles[axis])[0] >= 0) for profiles in by_arm.values()):
        axes.set_ylim(bottom=0)
    axes.set_xlim(-0.52, 0.52)
    return drawings.svg(figure, f"{words} along {along} by phase")
