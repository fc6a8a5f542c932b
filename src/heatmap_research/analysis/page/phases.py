"""Error against the truth's place within its bin."""

from collections.abc import Callable, Sequence

import numpy as np

from heatmap_research.analysis.comparison.verdict.settings import Group
from heatmap_research.analysis.error_budget.profiles import Profile, profile
from heatmap_research.analysis.page import drawings, errors
from heatmap_research.analysis.page.errors import Errors
from heatmap_research.analysis.page.parts import Plot, Section, Words
from heatmap_research.analysis.page.study import Study, label

EDGES = np.linspace(-0.5, 0.5, 13)
NEAR = 2.0  # of the coarsest bins: beyond it an error is no matter of bins
Values = Callable[[Profile], tuple[np.ndarray, np.ndarray]]  # means, standard errors


def section(study: Study) -> Section:
    title = "Error against sub-pixel phase"
    shown = [group for group in study.shown() if study.seen_of(group).lines is not None]
    if not shown:
        need = "This needs the runs' networks, which say where bins lie; see the notes on arms."
        return Section(title, [Words(need, "note")])
    reach = NEAR * max(1.0, *(step for g in shown for _, step in study.seen_of(g).lines or ()))
    found = {group.arm: _profiles(study, group, reach) for group in shown}
    rows: Sequence[tuple[str, Values]] = (
        ("mean error with its sign, px", lambda each: (each.bias, each.deviation)),
        ("mean size of the error, px", lambda each: (each.absolute, each.absolute_deviation)),
    )
    pictures = [
        _panel(study, found, axis, words, values) for words, values in rows for axis in (0, 1)
    ]
    caption = (
        "Test error along each axis over the truth's place in its bin (0: the middle; a "
        "regression: in its pixel), seeds pooled, without errors beyond "
        f"{reach:g} pixels. Bands: two standard errors; they cover other joints "
        f"of these seeds and images, no others. Shown: {'; '.join(map(label, shown))}."
    )
    return Section(title, [Plot(caption, pictures, drawings.legend(study.arms))])


def phase(truth: np.ndarray, lines: Sequence[tuple[float, float]]) -> np.ndarray:
    """Along x and y, from -0.5 to 0.5 of a bin."""
    (top, down), (left, across) = lines
    bins = (truth - np.array([left, top])) / np.array([across, down])
    return bins - np.floor(bins + 0.5)


def _profiles(study: Study, group: Group, reach: float) -> list[Profile]:
    lines = study.seen_of(group).lines or ()
    found = [errors.of(run, study.decoder(group)) for run in group.runs.values()]
    pooled = Errors(*(np.concatenate([getattr(e, n) for e in found]) for n in ("truth", "away")))
    near = pooled.lengths <= reach
    places = phase(pooled.truth[near], lines)
    return [profile(places[:, a], pooled.away[near][:, a], EDGES) for a in (0, 1)]


def _panel(
    study: Study, found: dict[str, list[Profile]], axis: int, words: str, values: Values
) -> str:
    figure, axes = drawings.panel()
    for arm, profiles in found.items():
        middle, (mean, error) = profiles[axis].middle, values(profiles[axis])
        colour = drawings.colour(study.arms.index(arm))
        axes.fill_between(middle, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, lw=0)
        axes.plot(middle, mean, "o-", ms=3, lw=1.2, color=colour)
    axes.axhline(0, color="grey", lw=0.6)
    if all(np.all(values(profiles[axis])[0] >= 0) for profiles in found.values()):
        axes.set_ylim(bottom=0)
    axes.set_xlim(-0.52, 0.52)
    axes.set_xlabel(f"place in the bin along {'xy'[axis]}, bins")
    axes.set_ylabel(words)
    return drawings.svg(figure, f"{words} along {'xy'[axis]} by phase")
