"""Images drawn anew, with replacement, and what that says of a figure that is no mean.

A draw is a row of weights, which say how often each image is in the sample.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares

MAX_WEIGHTS = 1 << 22  # of a block, in memory at a time


def weights(
    rng: np.random.Generator, resamples: int, images: int
) -> Float[np.ndarray, "resample image"]:
    drawn = rng.integers(images, size=(resamples, images))
    drawn += images * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * images)
    return counts.reshape(resamples, images).astype(np.float64)


def blocks(
    rng: np.random.Generator, resamples: int, images: int
) -> Iterator[Float[np.ndarray, "resample image"]]:
    """The weights of all resamples, in blocks that fit into memory."""
    most = max(1, MAX_WEIGHTS // images)
    for start in range(0, resamples, most):
        yield weights(rng, min(most, resamples - start), images)


def mean_squares(
    own: Float[np.ndarray, " seed"], resampled: Float[np.ndarray, "resample seed"], images: int
) -> MeanSquares:
    """The mean squares of cells that have these means, and spread as these resamples do."""
    seeds, cells = len(own), len(own) * images
    together = resampled.mean(1)
    left = resampled - together[:, None]
    left = left - left.mean(0)
    more = images / max(images - 1, 1)  # a resample's mean spreads less by as much
    residual = images * float(more * left.var(0, ddof=1).sum() / max(seeds - 1, 1))
    of_seeds = images * float(own.var(ddof=1)) if seeds > 1 else 0.0
    of_images = cells * more * float(together.var(ddof=1))
    return MeanSquares(float(own.mean()), seeds, images, of_seeds, of_images, residual)
