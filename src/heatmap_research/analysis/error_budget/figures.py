"""Figures of an error budget; they take budgets, profiles and laws, and know no network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmap_research.analysis.error_budget.calibration import Reliability, Risk
from heatmap_research.analysis.error_budget.law import Law, MeanByPhase, even_phases
from heatmap_research.analysis.error_budget.parts import Budget
from heatmap_research.analysis.error_budget.profiles import Profile
from heatmap_research.drawing.style import COLOURS, Plain, frameless

WORDS = {
    "labels": "rounded labels",
    "decoding": "decoder",
    "flip": "flip test",
    "joint_bias": "bias by joint",
    "phase_bias": "bias by phase in the {cell}",
    "jitter": "jitter",
    "inversion": "inversion (left for right)",
    "swap": "swap (somebody else's)",
    "miss": "miss",
}
ORDERS = ("put right one after the other", "the same in the opposite order")
REST = "#999999"
HARM = {"color": "white", "edgecolor": "#aa0000", "hatch": "////"}  # a part that adds error


def named(part: str, cell: str) -> str:
    """A part's name in words; `cell` is a bin, or a pixel of a regression."""
    return WORDS.get(part, part).format(cell=cell)


def signed(value: float, places: int = 3) -> str:
    """A number with its sign, but for one that rounds to nothing."""
    shown = f"{value:+.{places}f}"
    return shown if float(shown) else shown[1:]


def bars(budgets: Sequence[Budget], title: str = "", cell: str = "bin") -> Figure:
    """A row of panels for each order: parts of the mean error, and of the mean squared error."""
    rows = max(len(each.parts) for each in budgets) + 2
    figure = Plain(figsize=(11, 0.6 + len(budgets) * (0.9 + 0.29 * rows)), layout="constrained")
    figure.suptitle(f"{title} (hatched: adds error)", fontsize=10)
    panels = figure.subplots(len(budgets), 2, squeeze=False)
    for (left, right), budget, words in zip(panels, budgets, ORDERS, strict=False):
        steps, squares = zip(*((p.mean_px, p.square_px2) for p in budget.parts), strict=True)
        _waterfall(left, budget, budget.total_px, steps, "mean error, crop pixels")
        _waterfall(right, budget, budget.total_px2, squares, "mean squared error, crop pixels²")
        names = ["as it is", *(named(name, cell) for name in budget.order), "remainder"]
        left.set_yticks(range(len(names)), names, fontsize=8)
        right.set_yticks(range(len(names)), [])
        left.set_title(f"{words}, from the top down", fontsize=9, loc="left")
    return figure


def phases(
    profiles: Mapping[str, Profile], laws: Mapping[str, Law], title: str = "", cell: str = "bin"
) -> Figure:
    """Signed and mean error over the truth's place in its cell, beside the same of laws."""
    figure = Plain(figsize=(9, 6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(2, len(profiles), sharex=True, sharey="row", squeeze=False)
    for (above, below), (name, profile) in zip(panels.T, profiles.items(), strict=True):
        along = {words: law.along_axes()[name] for words, law in laws.items()}
        biases = {words: bias for words, (bias, _) in along.items()}
        sizes = {words: size for words, (_, size) in along.items()}
        middle, size, deviation = profile.middle, profile.absolute, profile.absolute_deviation
        _phase(above, biases, (middle, profile.bias, profile.deviation), COLOURS[0])
        _phase(below, sizes, (middle, size, deviation), COLOURS[2])
        above.set_title(f"along {name}", fontsize=10)
        below.set_xlabel(f"place of the truth in its {cell} (0: the middle), {cell}s")
    panels[0, 0].set_ylabel("mean error with its sign,\ncrop pixels")
    panels[1, 0].set_ylabel("mean size of the error,\ncrop pixels")
    panels[0, 0].legend(fontsize=8)
    return figure


def border(profiles: Mapping[str, Profile], title: str = "") -> Figure:
    """Mean error over the truth's distance to the border: a line for each way of reading."""
    figure = Plain(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, profile), colour in zip(profiles.items(), COLOURS[::2], strict=False):
        place, mean, bar = profile.middle, profile.bias, 2 * profile.deviation
        axes.errorbar(place, mean, yerr=bar, fmt="o-", ms=4, color=colour, label=name)
    axes.axvline(0, color="grey", lw=0.8, ls=":")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("truth's distance to the nearest border of the crop, pixels (below 0: outside)")
    axes.set_ylabel("mean error, crop pixels\n(bars: 2 standard errors)")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    frameless(axes)
    return figure


def scores(curves: Mapping[str, Reliability], risk: Risk, title: str = "") -> Figure:
    """Share of right points over score, and the error of the surest over how many are kept."""
    figure = Plain(figsize=(10, 4.4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    left, right = figure.subplots(1, 2)
    _reliability(left, curves)
    _risk(right, risk)
    for axes in (left, right):
        axes.legend(fontsize=8)
        frameless(axes)
    return figure


def _waterfall(
    axes: Axes, budget: Budget, total: float, steps: Sequence[float], words: str
) -> None:
    """Draws the total, the parts that are taken off it one by one, and the remainder."""
    axes.barh(0, total, color="black", height=0.7)
    _number(axes, total, 0, f"{total:.3f}", total)
    end = total
    for place, (name, step) in enumerate(zip(budget.order, steps, strict=True), start=1):
        colour = COLOURS[list(WORDS).index(name) % len(COLOURS)]
        style: dict[str, Any] = {"color": colour} if step >= 0 else HARM
        axes.barh(place, abs(step), left=min(end, end - step), height=0.7, **style)
        _number(axes, max(end, end - step), place, signed(-step), total)
        axes.vlines(end, place - 0.65, place + 0.35, color="grey", lw=0.6)
        end -= step
    last = len(steps) + 1
    axes.barh(last, end, color=REST, height=0.7)
    _number(axes, end, last, f"{end:.3f}", total)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.17 * total)
    axes.set_xlabel(words, fontsize=9)
    frameless(axes)


def _number(axes: Axes, x: float, y: float, words: str, total: float) -> None:
    axes.text(x + 0.01 * total, y, words, va="center", fontsize=8)


def _phase(
    axes: Axes, laws: Mapping[str, MeanByPhase], measured: Sequence[np.ndarray], colour: str
) -> None:
    """Draws laws as lines, and what was measured: its places, means and their standard errors."""
    middle, error, deviation = measured
    for (words, values), style in zip(laws.items(), ("--", "-", ":"), strict=False):
        axes.plot(*_unjoined(even_phases(), values), style, color="black", lw=1, label=words)
    words = "measured, 2 standard errors"
    axes.errorbar(middle, error, yerr=2 * deviation, fmt="o", ms=4, color=colour, label=words)
    axes.axhline(0, color="grey", lw=0.5)
    frameless(axes)


def _reliability(axes: Axes, curves: Mapping[str, Reliability]) -> None:
    axes.plot([0, 1], [0, 1], "--", color="black", lw=1, label="a score that is a probability")
    for (name, curve), colour in zip(curves.items(), COLOURS[::2], strict=False):
        size = 15 + 120 * curve.count / curve.count.sum()
        axes.plot(curve.score, curve.rate, color=colour, lw=1)
        words = f"{name}: ECE {curve.ece:.3f}"
        axes.scatter(curve.score, curve.rate, s=size, color=colour, label=words)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), ylabel="share that is right")
    axes.set_xlabel("score (mean of an interval of 0.1; larger dot: more points)")


def _risk(axes: Axes, risk: Risk) -> None:
    kept = risk.coverage >= 0.02  # the mean of fewer is a matter of chance
    by_score = f"by score: AURC {risk.aurc:.3f} px"
    by_error = f"by the error itself: {risk.aurc - risk.excess:.3f} px"
    axes.plot(risk.coverage[kept], risk.risk[kept], color=COLOURS[0], label=by_score)
    axes.plot(risk.coverage[kept], risk.best[kept], "--", color="black", lw=1, label=by_error)
    axes.set(ylim=(0, None), ylabel="their mean error, crop pixels")
    axes.set_xlabel("share of joints kept, the surest first")


def _unjoined(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The curve with a gap wherever it jumps, so that no line is drawn across the jump."""
    wide = np.flatnonzero(np.abs(np.diff(y)) > 0.8 * max(np.ptp(y), 1e-12))
    return np.insert(x, wide + 1, x[wide]), np.insert(y, wide + 1, np.nan)
