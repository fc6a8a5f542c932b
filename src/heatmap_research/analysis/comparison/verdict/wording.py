"""Parts of a verdict in plain English."""

import math
from collections.abc import Sequence

from scipy.optimize import brentq

from heatmap_research.analysis.comparison.statistics import student
from heatmap_research.analysis.comparison.statistics.interval import Interval
from heatmap_research.analysis.comparison.verdict.settings import Setting


def number(value: float, interval: Interval) -> str:
    """Rounded to two digits of the interval's half width."""
    reach = (interval.high - interval.low) / 2
    known = reach if reach > 0 else abs(interval.estimate)
    places = 1 - math.floor(math.log10(known)) if known > 0 else 2
    shown = f"{value:.{min(max(places, 0), 6)}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def covering(
    interval: Interval, unit: str, seeds: int, images: int, family: int = 1, signed: bool = False
) -> str:
    """The interval of a difference that is told as greater than 0, and what it covers.

    It is not adjusted for a family, as p values are, so it may leave 0 out where p does not.
    """
    ends = (interval.low, interval.high)
    low, high = [number(e, interval) for e in ends] if signed else _forwards(interval, *ends)
    many = f"{seeds} seed{'s' * (seeds != 1)} x {images} image{'s' * (images != 1)}"
    named = _named(interval.level, family)
    return f"{named} {low} to {high}, {interval.population}, {many}"


def within(interval: Interval, chance: float, family: int = 1) -> str:
    """The interval that two one-sided tests at this chance rest on.

    They find arms equivalent within every margin that it lies within.
    """
    reach = _reach(interval, chance)
    low, high = _forwards(interval, interval.estimate - reach, interval.estimate + reach)
    return f"{_named(1 - 2 * chance, family)} {low} to {high}"


def where(setting: Setting, over: Sequence[str]) -> str:
    if over:
        return f"Averaged over {' and '.join(over)}: "
    return f"At {', '.join(f'{key}={value}' for key, value in setting)}: " if setting else ""


def chance(p: float) -> str:
    """A p value; one that rounds to .050 has a digit more, to say on which side it is."""
    digits = 4 if f"{p:.3f}" == "0.050" else 3
    return "p < .001" if p < 0.001 else f"p = {f'{p:.{digits}f}'.removeprefix('0')}"


def _named(level: float, family: int) -> str:
    return f"{100 * level:g} % interval{' of this comparison alone' * (family > 1)}"


def _forwards(interval: Interval, low: float, high: float) -> tuple[str, str]:
    ends = (-high, -low) if interval.estimate < 0 else (low, high)
    return number(ends[0], interval), number(ends[1], interval)


def _reach(interval: Interval, chance: float) -> float:
    """How far from the estimate a margin must be for its test to come to this chance."""
    near = float(student.quantile(1 - chance, interval.freedom)) * interval.error
    if near == 0:
        return 0.0

    def excess(reach: float) -> float:
        return math.log(interval.p_equivalence(abs(interval.estimate) + reach) / chance)

    far = near
    while excess(far) > 0:
        far *= 1.3
    return far if far == near else brentq(excess, near, far)
