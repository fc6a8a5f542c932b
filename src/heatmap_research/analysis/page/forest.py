"""Intervals one above the other, beside 0 and a margin."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.page import drawings
from heatmap_research.drawing.style import COLOURS

TOLD_APART, NOT_TOLD = COLOURS[4], "#888888"
KINDS = {True: ("var(--c4)", "told apart (dot)"), False: (NOT_TOLD, "not told apart (square)")}


@dataclass(frozen=True)
class Line:
    name: str
    interval: Interval
    told: bool  # whether it is told apart from 0


def forest(lines: Sequence[Line], across: str, margin: float | None, title: str) -> Markup:
    figure, axes = drawings.panel(across, size=(4.8, 1.1 + 0.5 * len(lines)))
    axes.axvline(0, color="black", lw=0.8)
    if margin is not None:
        axes.axvspan(-margin, margin, color="grey", alpha=0.18, lw=0)
    for place, line in enumerate(lines):
        interval, colour = line.interval, TOLD_APART if line.told else NOT_TOLD
        axes.plot([interval.low, interval.high], [place, place], color=colour, lw=2.2)
        axes.plot(interval.estimate, place, "o" if line.told else "s", color=colour, ms=6)
    axes.set_yticks(range(len(lines)), [line.name for line in lines], fontsize=9)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    return drawings.svg(figure, title)


def legend(lines: Sequence[Line]) -> list[tuple[str, str]]:
    return [kind for told, kind in KINDS.items() if told in {line.told for line in lines}]
