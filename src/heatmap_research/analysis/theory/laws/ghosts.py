"""What a pair of vectors cannot say: which x belongs to which y."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.theory.laws.normal import Numbers


def ghost_rate(first: Numbers, covariance: Numbers = 0.0) -> Numbers:
    """Chance that the axes' argmaxes choose different ones of two modes.

    `first` is each axis's chance of the first mode, `covariance` that of the two choices: 0 if the
    axes choose alone, first (1 - first) if always together, as the argmax of a 2-D map does.
    """
    return 2 * (first * (1 - first) - covariance)


def ghost_mass(shares: Sequence[float]) -> float:
    """Of the product of a map's marginals, what lies where no mode is: 2 q (1 - q) for two modes.

    For modes apart along both axes; a property of the layout, without noise or argmax.
    """
    return 1 - sum(share**2 for share in shares)


def ghost_without_noise(
    shares: tuple[float, float],
    sigmas: tuple[tuple[float, float], tuple[float, float]],  # y, x of each mode
) -> bool:
    """Whether the higher peaks along y and x are different modes': of the greater share / sigma."""
    down, across = (shares[0] / sigmas[0][axis] > shares[1] / sigmas[1][axis] for axis in range(2))
    return down != across


def additive_share(rows: Float[np.ndarray, " row"], columns: Float[np.ndarray, " column"]) -> float:
    """Of the variance of a product rows x columns, what the best sum of two vectors explains.

    Hence a pair of vectors cannot learn a bump by squared error of their sum.
    """
    apart = (rows.mean() ** 2 * columns.var(), columns.mean() ** 2 * rows.var())
    whole = np.square(rows).mean() * np.square(columns).mean()
    return float(sum(apart) / (whole - (rows.mean() * columns.mean()) ** 2))


def gaussian_additive_share(sigma: float, shape: tuple[int, int]) -> float:
    """That of a Gaussian away from the border: .20 of one of 2 bins on a map of 64 by 64."""
    # a profile's mean squared, as a share of its mean square
    row, column = (2 * math.sqrt(math.pi) * sigma / size for size in shape)
    return (row * (1 - column) + column * (1 - row)) / (1 - row * column)


def ranked(
    rows: Float[np.ndarray, "rank row"], columns: Float[np.ndarray, "rank column"]
) -> Float[np.ndarray, "row column"]:
    """Scores between the layouts: log sum exp over ranks of sums of two vectors.

    Rank 1 is a pair of vectors, whose softmax is the product of theirs; two ranks hold two modes
    without ghosts, and as many as rows hold any map.
    """
    return np.logaddexp.reduce(rows[:, :, None] + columns[:, None, :], axis=0)
