"""Keypoints fall anywhere in a bin: the error of a decoder that answers with one point of it.

Such an error fills a rectangle evenly. Its sides are a stride for argmax, half a stride for a
quarter offset, 1 / k pixels for a vector with k bins per pixel; bins or pixels, as they are given.
"""

import math

import numpy as np

from heatmap_research.analysis.theory.laws.normal import Numbers, below


def axis_mean(side: float) -> float:
    """Mean size of the error along one axis."""
    return side / 4


def axis_rms(side: float) -> float:
    return side / math.sqrt(12)


def mean_distance(width: float, height: float) -> float:
    """Of a rectangle's points to its middle: (sqrt 2 + asinh 1) / 6 = 0.38260 in a unit square."""
    across = width**2 / height * math.asinh(height / width)
    down = height**2 / width * math.asinh(width / height)
    return math.hypot(width, height) / 6 + (across + down) / 12


def rms_distance(width: float, height: float) -> float:
    return math.hypot(axis_rms(width), axis_rms(height))


def share_within(distance: float, side: float) -> float:
    """Of a square's points, those no further from its middle: a disc less what it leaves over."""
    radius = distance / side
    if radius >= math.sqrt(0.5):
        return 1.0
    disc = math.pi * radius**2
    if radius <= 0.5:
        return disc
    cut = radius**2 * math.acos(0.5 / radius) - 0.5 * math.sqrt(radius**2 - 0.25)
    return disc - 4 * cut


def quantile_distance(share: float, side: float) -> float:
    """Distance that this share of a square's points stays within: its median at 1/2."""
    low, high = 0.0, side * math.sqrt(0.5)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if share_within(middle, side) < share else (low, middle)
    return high


def quarter_offset_mean(stride: float, bins: tuple[int, int]) -> float:
    """Over a whole map, in whose outermost bins no step is taken towards the border or from it."""
    outer = [2 / size for size in bins]
    shares = np.multiply.outer(*[(1 - share, share) for share in outer])
    sides = (stride / 2, stride)
    distances = [[mean_distance(across, down) for across in sides] for down in sides]
    return float((shares * distances).sum())


def oks_tolerance(sigma: Numbers, area: float) -> Numbers:
    """Distance at which a joint's similarity is exp(-1/2), in the pixels whose square area is."""
    return 2 * sigma * math.sqrt(area)


def expected_oks(side: float, tolerance: Numbers) -> Numbers:
    """Mean similarity under an error that fills a square; the exact form, an error function."""
    half = side / 2 / np.asarray(tolerance)
    inside = 2 * below(half) - 1
    return (math.sqrt(2 * math.pi) * inside / (2 * half)) ** 2


def oks_loss(side: float, tolerance: Numbers) -> Numbers:
    """1 less the mean similarity, to second order: for sides well below the tolerance."""
    return side**2 / (12 * np.square(tolerance))


def unit_spacing(size: int, bins: int) -> float:
    """Pixels between bins in UDP's unit lengths: in place of the stride in every law here."""
    return (size - 1) / (bins - 1)


def legacy_end(size: int, bins: int) -> float:
    """Last pixel position within half a bin of the last bin, where bin n sits on pixel n strides.

    The laws of this module hold from minus half a stride to here, and not over the whole crop.
    """
    return (bins - 0.5) * size / bins


def legacy_worst(stride: float) -> float:
    """Pixels along an axis by which such a grid's last bin misses the far edge of the crop."""
    return stride - 0.5
