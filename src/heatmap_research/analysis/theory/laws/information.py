"""How well any decoder can do under noise that is alike and independent in every bin.

`noise` is its standard deviation as a share of the peak, sigmas are the label's in bins, and bounds
are standard deviations in bins along one axis (Cramér-Rao). Not knowing height, width or background
costs nothing, as the map changes evenly with them; from sigmas of .8 bins on.
"""

import math

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.theory.laws.normal import Numbers, below

Signal = Float[np.ndarray, " bin"]


def map_bound(noise: Numbers) -> Numbers:
    """Of a 2-D map, whatever its label's width: .798 of the noise."""
    return noise * math.sqrt(2 / math.pi)


def sum_marginal_bound(noise: Numbers, sigma: Numbers, rows: int) -> Numbers:
    """Of the even sum over all rows of a map, which adds up the noise of the empty ones."""
    return noise * np.sqrt(rows / (math.pi**1.5 * np.asarray(sigma)))


def weighted_marginal_bound(noise: Numbers) -> Numbers:
    """Of the sum over rows by their height at the truth: nothing of the map is lost."""
    return map_bound(noise)


def window_marginal_bound(noise: Numbers, half: Numbers) -> Numbers:
    """Of the even sum over rows within so many sigmas of the truth."""
    return map_bound(noise) / np.sqrt(window_efficiency(half))


def window_efficiency(half: Numbers) -> Numbers:
    """Share of the information that such a sum keeps: at most 89 %, with 1.4 sigmas either side."""
    inside = math.sqrt(2 * math.pi) * (2 * below(half) - 1)
    return np.square(inside) / (2 * math.sqrt(math.pi) * np.asarray(half))


def vector_bound(noise: Numbers, sigma: Numbers) -> Numbers:
    """Of a vector that a head predicts itself, with noise of its own: the narrower the better."""
    return noise * np.sqrt(2 * np.asarray(sigma) / math.sqrt(math.pi))


def bound(derivative: Signal, covariance: Float[np.ndarray, "bin bin"]) -> float:
    """Of any map flattened, under correlated noise: its change per bin of the truth, measured."""
    return 1 / math.sqrt(derivative @ np.linalg.solve(covariance, derivative))


def unblurred_dark_rms(noise: Numbers, sigma: Numbers) -> Numbers:
    """Of a Taylor step on the three raw bins about a truth at a bin's centre, to first order."""
    square = np.square(sigma)
    return noise * square * np.exp(0.5 / square) / math.sqrt(2)


def centroid_rms(noise: Numbers, sigma: Numbers, shape: tuple[int, int]) -> Numbers:
    """Along x of the mean position over a whole map, height by width; to first order."""
    height, width = shape
    return noise * math.sqrt(height * width * (width**2 - 1) / 12) / (2 * math.pi * sigma**2)


def with_quantisation(rms: Numbers, side: Numbers) -> Numbers:
    """Both errors of a decoder that reads a well blurred map to a side of a bin."""
    return np.hypot(rms, side / math.sqrt(12))


def gross_rate(
    noise: float, sigma: float, shape: tuple[int, ...], reach: float = 4.0, steps: int = 4000
) -> float:
    """Chance that the highest bin is more than so many sigmas from a truth in mid-map.

    That the best of the far bins, all empty, beats each near one; by a sum over its value.
    """
    axes = np.meshgrid(*[np.arange(size) - size // 2 for size in shape], indexing="ij")
    away = np.sqrt(sum(np.square(axis) for axis in axes)) / sigma
    near = np.exp(-0.5 * np.square(away[away <= reach]))
    values = np.linspace(-8 * noise, 8 * noise + 1, steps + 1)
    far = below(values / noise) ** np.count_nonzero(away > reach)
    levels, counts = np.unique(near, return_counts=True)
    middles = (values[1:] + values[:-1]) / 2
    lower = below((middles[:, None] - levels) / noise) ** counts
    return float(lower.prod(-1) @ np.diff(far))
