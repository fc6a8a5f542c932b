"""Verdicts in plain English."""

import math
from collections.abc import Sequence

from heatmap_research.analysis.statistics.interval import Interval
from heatmap_research.analysis.verdict.settings import Setting


def number(value: float, interval: Interval) -> str:
    """To two digits of what is not known of it."""
    reach = (interval.high - interval.low) / 2
    known = reach if reach > 0 else abs(interval.estimate)
    places = 1 - math.floor(math.log10(known)) if known > 0 else 2
    shown = f"{value:.{min(max(places, 0), 6)}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def covering(interval: Interval, unit: str, seeds: int, images: int) -> str:
    """The interval of a difference that is told as greater than 0, and what it covers."""
    ends = (interval.low, interval.high)
    if interval.estimate < 0:
        ends = (-interval.high, -interval.low)
    low, high = (number(end, interval) for end in ends)
    many = f"{seeds} seed{'s' * (seeds != 1)} x {images} image{'s' * (images != 1)}"
    return f"{100 * interval.level:g} % interval {low} to {high}, {interval.population}, {many}"


def where(setting: Setting, over: Sequence[str]) -> str:
    if over:
        return f"Averaged over {' and '.join(over)}: "
    return f"At {', '.join(f'{key}={value}' for key, value in setting)}: " if setting else ""


def chance(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p = {f'{p:.3f}'.removeprefix('0')}"
