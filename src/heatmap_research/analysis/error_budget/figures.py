"""Figures of an error budget; they take budgets and profiles, and know no network."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heatmap_research.analysis.error_budget.calibration import Reliability, Risk
from heatmap_research.analysis.error_budget.parts import Budget
from heatmap_research.analysis.error_budget.profiles import Profile
from heatmap_research.drawing.style import COLOURS

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
REST = "#999999"
HARM = "#aa0000"

Curve = tuple[Float64[np.ndarray, " phase"], Float64[np.ndarray, " phase"]]  # phase, pixels
Curves = tuple[Curve, Curve]  # of mean errors, and of their mean size


def named(part: str, cell: str) -> str:
    """`cell` is what a phase is within: a bin, or a pixel of a regression."""
    return WORDS.get(part, part).format(cell=cell)


def signed(value: float) -> str:
    """Without a sign where nothing is left of it."""
    shown = f"{value:+.3f}"
    return shown if float(shown) else "0.000"


def bars(budgets: Sequence[Budget], title: str = "", cell: str = "bin") -> Figure:
    """A row of panels an order: pixels of mean error, and square pixels of mean squared error."""
    rows = max(len(each.parts) for each in budgets) + 2
    figure = Figure(figsize=(11, 0.6 + len(budgets) * (0.9 + 0.29 * rows)), layout="constrained")
    figure.suptitle(f"{title} (hatched: adds error)", fontsize=10)
    panels = figure.subplots(len(budgets), 2, squeeze=False)
    for (left, right), budget in zip(panels, budgets, strict=True):
        steps = [part.mean_px for part in budget.parts]
        _waterfall(left, budget, budget.total_px, steps, "mean error, crop pixels")
        names = [named(name, cell) for name in budget.order]
        left.set_yticks(range(len(names) + 2), ["as it is", *names, "remainder"], fontsize=8)
        squares = [part.square_px2 for part in budget.parts]
        _waterfall(right, budget, budget.total_px2, squares, "mean squared error, crop pixels²")
        right.set_yticks(range(len(names) + 2), [])
    for axes, words in zip(
        panels[:, 0],
        ("put right one after the other", "the same in the opposite order"),
        strict=False,
    ):
        axes.set_title(f"{words}, from the top down", fontsize=9, loc="left")
    return figure


def phases(
    profiles: Mapping[str, Profile],
    laws: Mapping[str, Mapping[str, Curves]],
    title: str = "",
    cell: str = "bin",
) -> Figure:
    """Signed and mean error over the truth's place in its cell, beside the same of laws.

    `laws` are by name, then by axis: a curve of the one and a curve of the other.
    """
    figure = Figure(figsize=(9, 6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(2, len(profiles), sharex=True, sharey="row", squeeze=False)
    for column, (name, profile) in enumerate(profiles.items()):
        measured = [
            (profile.bias, profile.deviation),
            (profile.absolute, profile.absolute_deviation),
        ]
        for row, (values, deviation) in enumerate(measured):
            axes = panels[row, column]
            for (law, curves), style in zip(laws.items(), ("--", "-", ":"), strict=False):
                axes.plot(*_unjoined(*curves[name][row]), style, color="black", lw=1, label=law)
            axes.errorbar(
                profile.middle,
                values,
                yerr=2 * deviation,
                fmt="o",
                ms=4,
                color=COLOURS[row and 2],
                label="measured, 2 standard errors",
            )
            axes.axhline(0, color="grey", lw=0.5)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0, column].set_title(f"along {name}", fontsize=10)
        panels[1, column].set_xlabel(f"place of the truth in its {cell} (0: the middle), {cell}s")
    panels[0, 0].set_ylabel("mean error with its sign,\ncrop pixels")
    panels[1, 0].set_ylabel("mean size of the error,\ncrop pixels")
    panels[0, 0].legend(fontsize=8)
    return figure


def border(profiles: Mapping[str, Profile], title: str = "") -> Figure:
    """Mean error over the truth's distance to the border, a line a way of reading."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for (name, profile), colour in zip(profiles.items(), COLOURS[::2], strict=False):
        axes.errorbar(
            profile.middle,
            profile.bias,
            yerr=2 * profile.deviation,
            fmt="o-",
            ms=4,
            color=colour,
            label=name,
        )
    axes.axvline(0, color="grey", lw=0.8, ls=":")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("truth's distance to the nearest border of the crop, pixels (below 0: outside)")
    axes.set_ylabel("mean error, crop pixels\n(bars: 2 standard errors)")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def scores(curves: Mapping[str, Reliability], risk: Risk, title: str = "") -> Figure:
    """Share of right points over score, and the error of the surest over how many are kept."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    figure.suptitle(title, fontsize=10)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], "--", color="black", lw=1, label="a score that is a probability")
    for (name, curve), colour in zip(curves.items(), COLOURS[::2], strict=False):
        size = 15 + 120 * curve.count / curve.count.sum()
        left.plot(curve.score, curve.rate, color=colour, lw=1)
        left.scatter(
            curve.score, curve.rate, s=size, color=colour, label=f"{name}: ECE {curve.ece:.3f}"
        )
    left.set_xlim(-0.02, 1.02)
    left.set_ylim(-0.02, 1.02)
    left.set_xlabel("score (mean of an interval of 0.1; larger dot: more points)")
    left.set_ylabel("share that is right")
    left.legend(fontsize=8)
    kept = risk.coverage >= min(0.02, 1)
    right.plot(
        risk.coverage[kept],
        risk.risk[kept],
        color=COLOURS[0],
        label=f"by score: AURC {risk.aurc:.3f} px",
    )
    right.plot(
        risk.coverage[kept],
        risk.best[kept],
        "--",
        color="black",
        lw=1,
        label=f"by the error itself: {risk.aurc - risk.excess:.3f} px",
    )
    right.set_ylim(bottom=0)
    right.set_xlabel("share of joints kept, the surest first")
    right.set_ylabel("their mean error, crop pixels")
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _waterfall(
    axes: Axes, budget: Budget, total: float, steps: Sequence[float], words: str
) -> None:
    """From the total, each part taken off where the one before ended, to the remainder.

    What a replacement adds is hatched.
    """
    axes.barh(0, total, color="black", height=0.7)
    _number(axes, total, 0, f"{total:.3f}", total)
    end = total
    for place, (name, step) in enumerate(zip(budget.order, steps, strict=True), start=1):
        _part(axes, place, end, step, COLOURS[list(WORDS).index(name) % len(COLOURS)])
        _number(axes, max(end, end - step), place, signed(-step), total)
        axes.vlines(end, place - 0.65, place + 0.35, color="grey", lw=0.6)
        end -= step
    last = len(steps) + 1
    axes.barh(last, end, color=REST, height=0.7)
    _number(axes, end, last, f"{end:.3f}", total)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.17 * total)
    axes.set_xlabel(words, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _part(axes: Axes, place: int, end: float, step: float, colour: str) -> None:
    if step >= 0:
        axes.barh(place, step, left=end - step, color=colour, height=0.7)
    else:
        axes.barh(place, -step, left=end, color="white", edgecolor=HARM, hatch="////", height=0.7)


def _number(axes: Axes, x: float, y: float, words: str, total: float) -> None:
    axes.text(x + 0.01 * total, y, words, va="center", fontsize=8)


def _unjoined(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A curve that jumps is not drawn across the jump."""
    jumps = np.abs(np.diff(y))
    broken = y.copy().astype(float)
    wide = np.flatnonzero(jumps > 0.8 * max(np.ptp(y), 1e-12))
    return np.insert(x, wide + 1, x[wide]), np.insert(broken, wide + 1, np.nan)
