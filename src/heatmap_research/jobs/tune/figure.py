"""A search drawn: how it went, and the figure against each parameter."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from heatmap_research.drawing.style import Plain
from heatmap_research.jobs.tune.search import Parameter, Search, Trial

FAILED, BEST = "#cc5533", "black"
KINDS = (("finished", "o", "#3366aa"), ("pruned, as last seen", "x", "#e0a030"))


def draw(trials_of: Mapping[str, Sequence[Trial]], search: Search, label: str) -> Figure:
    """A row for each arm: its history, then a slice for each parameter."""
    columns = 1 + len(search.space)
    figure = Plain(figsize=(2.5 * columns + 1, 2.6 * len(trials_of) + 0.6), layout="constrained")
    grid = figure.subplots(len(trials_of), columns, sharey="row", squeeze=False)
    for row, (arm, trials) in zip(grid, trials_of.items(), strict=True):
        _history(row[0], trials, search)
        row[0].set_ylabel(f"{arm}\n{label}")
        for axes, parameter in zip(row[1:], search.space, strict=True):
            _slice(axes, trials, search, parameter)
        _limit(row[0], trials)
    for axes, parameter in zip(grid[-1][1:], search.space, strict=True):
        axes.set_xlabel(f"{parameter.key}\n{parameter.unit}".strip())
    grid[-1][0].set_xlabel("trial")
    handles = dict(zip(*reversed(grid[0][0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5)
    return figure


def _history(axes: Axes, trials: Sequence[Trial], search: Search) -> None:
    _points(axes, trials, [trial.number for trial in trials], search)
    worst = -math.inf if search.maximise else math.inf
    figures = [worst if trial.figure is None else trial.figure for trial in trials]
    lead = accumulate(figures, max if search.maximise else min)
    best = [figure if math.isfinite(figure) else math.nan for figure in lead]
    axes.step(range(len(best)), best, where="post", color=BEST, linewidth=1, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _slice(axes: Axes, trials: Sequence[Trial], search: Search, parameter: Parameter) -> None:
    places = [trial.values[parameter.key] for trial in trials]
    if parameter.choices is not None:
        axes.set_xticks(range(len(parameter.choices)), list(map(str, parameter.choices)))
        places = [list(parameter.choices).index(place) for place in places]
    else:
        if parameter.log:
            axes.set_xscale("log")
            _plain_numbers(axes.xaxis, parameter.high / parameter.low)  # type: ignore[operator]
        axes.set_xlim(parameter.low, parameter.high)  # all that was searched
    _points(axes, trials, places, search)
    if best := search.best(trials):
        place = places[best.number]
        axes.plot(place, _seen(best), "o", markersize=10, fillstyle="none", color=BEST)


def _points(axes: Axes, trials: Sequence[Trial], places: Sequence[float], search: Search) -> None:
    """A pruned trial where it was last seen; a failed one on the edge of what is bad."""
    for words, marker, colour in KINDS:
        shown = [
            (place, _seen(trial))
            for trial, place in zip(trials, places, strict=True)
            if trial.status == words.partition(",")[0]
        ]
        x, y = np.reshape(shown, (-1, 2)).T
        clipped = not shown  # nothing has no place
        axes.plot(x, y, marker, label=words, color=colour, markersize=5, clip_on=clipped)
    failed = [p for trial, p in zip(trials, places, strict=True) if trial.status == "failed"]
    edge, marker = (0.03, "v") if search.maximise else (0.97, "^")
    beside = axes.get_xaxis_transform()
    axes.plot(failed, [edge] * len(failed), marker, color=FAILED, transform=beside, label="failed")


def _limit(axes: Axes, trials: Sequence[Trial]) -> None:
    """Logarithmic where early looks are far off the figures to be told apart."""
    seen = [figure for trial in trials if math.isfinite(figure := _seen(trial))]
    if seen and min(seen) > 0 and max(seen) > 5 * min(seen):
        axes.set_yscale("log")
        _plain_numbers(axes.yaxis, max(seen) / min(seen))


def _plain_numbers(axis: Axis, spread: float) -> None:
    """Labels a logarithmic axis where its powers of ten would be too few to read it by."""
    if spread < 50:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def _seen(trial: Trial) -> float:
    last = trial.reported[max(trial.reported)] if trial.reported else math.nan
    return last if trial.figure is None else trial.figure
