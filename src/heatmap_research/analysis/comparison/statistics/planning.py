"""What an experiment can find, and how large it must be to find it."""

from heatmap_research.analysis.comparison.statistics import student
from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval
from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares

MOST = 1000  # seeds


def detectable(found: Interval, power: float = 0.8) -> float:
    """The least difference that a test with this interval's error finds with this chance."""
    low, high = 0.0, 1.0
    while student.power(high, found.freedom, found.level) < power:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        enough = student.power(middle, found.freedom, found.level) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high * found.error


def seeds_needed(
    pilot: MeanSquares, difference: float, level: float = 0.95, power: float = 0.8
) -> int | None:
    """To find such a difference on as many images, if the pilot's variances are true.

    None where more seeds alone never do: the images' share stays, and more of them are needed.
    """
    if _power(pilot, MOST, difference, level) < power:
        return None
    low, high = 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        enough = _power(pilot, middle, difference, level) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def _power(pilot: MeanSquares, seeds: int, difference: float, level: float) -> float:
    seed, image, residual = (float(part) for part in pilot.components())
    expected = MeanSquares(
        difference,
        seeds,
        pilot.images,
        residual + pilot.images * seed,
        residual + seeds * image,
        residual,
    )
    error, freedom = (float(part) for part in expected.error(BOTH))
    return student.power(abs(difference) / error, freedom, level) if error else 1.0
