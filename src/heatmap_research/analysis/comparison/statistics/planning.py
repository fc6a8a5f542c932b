"""What an experiment can find, and how large it must be to find it."""

from bisect import bisect_left

from scipy.optimize import brentq

from heatmap_research.analysis.comparison.statistics import student
from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval
from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares

MAX_SEEDS = 1000


def detectable(interval: Interval, power: float = 0.8) -> float:
    """The least difference that a test with this interval's error finds with chance `power`."""

    def excess(ratio: float) -> float:
        return student.power(ratio, interval.freedom, interval.level) - power

    high = 1.0
    while excess(high) < 0:
        high *= 2
    return brentq(excess, 0, high) * interval.error


def seeds_needed(
    pilot: MeanSquares, difference: float, level: float = 0.95, power: float = 0.8
) -> int | None:
    """The number of seeds that find such a difference on as many images as the pilot has.

    It takes the pilot's variances for true. None if even MAX_SEEDS do not: images add too much.
    """
    if _power(pilot, MAX_SEEDS, difference, level) < power:
        return None
    counts = range(2, MAX_SEEDS)
    return 2 + bisect_left(counts, power, key=lambda n: _power(pilot, n, difference, level))


def _power(pilot: MeanSquares, seeds: int, difference: float, level: float) -> float:
    seed, image, residual = (float(part) for part in pilot.components())
    parts = (residual + pilot.images * seed, residual + seeds * image, residual)
    expected = MeanSquares(difference, seeds, pilot.images, *parts)
    error, freedom = (float(part) for part in expected.error(BOTH))
    return student.power(abs(difference) / error, freedom, level) if error else 1.0
