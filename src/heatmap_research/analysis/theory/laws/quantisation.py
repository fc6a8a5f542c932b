"""Keypoints fall anywhere in a bin: the error of a decoder that answers with one point of it.

Such an error fills a rectangle evenly. Its sides are a stride for argmax, half a stride for a
quarter offset, 1 / k pixels for a vector with k bins per pixel. Results have the unit of the sides.
"""

import math

import numpy as np
from scipy import special

from heatmap_research.analysis.theory.laws import Numbers


def mean_distance(width: float, height: float) -> float:
    """Points' mean distance from the middle: (sqrt 2 + asinh 1) / 6 = 0.38260 in a unit square."""
    across = width**2 / height * math.asinh(height / width)
    down = height**2 / width * math.asinh(width / height)
    return math.hypot(width, height) / 6 + (across + down) / 12


def oks_tolerance(sigma: Numbers, area: float) -> Numbers:
    """The distance in pixels at which a joint's similarity is exp(-1/2); `area` is in pixels²."""
    return 2 * sigma * math.sqrt(area)


def expected_oks(side: float, tolerance: Numbers) -> Numbers:
    """The mean similarity of a joint whose error fills a square with this side."""
    half = side / 2 / np.asarray(tolerance)
    inside = 2 * special.ndtr(half) - 1
    return (math.sqrt(2 * math.pi) * inside / (2 * half)) ** 2
