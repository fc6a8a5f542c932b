"""The crossed bootstrap: seeds and images are drawn anew, with replacement, apart from each other.

A draw is a row of weights, which say how often each image (or seed) is in the sample. The mean of a
draw is then a product of matrices, and any other figure is one of weighted images.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval
from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares, interval

MAX_WEIGHTS = 1 << 22  # of a block, in memory at a time

Resampled = Float[np.ndarray, "resample seed"]  # each seed's figure on images drawn anew
OfSeeds = Float[np.ndarray, " seed"]


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


def means(
    totals: Float[np.ndarray, "seed image"],
    counts: Float[np.ndarray, "seed image"],
    resamples: int,
    rng: np.random.Generator,
) -> Resampled:
    """Each seed's mean over all that is counted in the images drawn."""
    drawn = blocks(rng, resamples, totals.shape[1])
    return np.concatenate([(w @ totals.T) / (w @ counts.T) for w in drawn])


def crossed(
    own: OfSeeds,
    resampled: Resampled,
    images: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """The interval of the figures' mean, from the spread of resamples of seeds and images.

    Few seeds that are drawn with replacement spread less than new seeds do, so the weights are
    stretched; and Student's t widens a spread that is known from few. Percentiles do neither.
    """
    seeds = len(own)
    if seeds == 1:
        return two_way(own, resampled, images, level)
    squares = mean_squares(own, resampled, images)
    drawn = weights(rng, len(resampled), seeds) - 1
    stretched = 1 + np.sqrt(seeds / (seeds - 1)) * drawn
    error = (stretched * resampled).mean(1).std(ddof=1)
    return interval(squares, BOTH, level, "crossed bootstrap, t").with_error(float(error))


def percentiles(
    resampled: Resampled, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """The ends of the bare crossed bootstrap's interval of the mean."""
    drawn = weights(rng, *resampled.shape)
    low, high = np.quantile((drawn * resampled).mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def two_way(
    own: OfSeeds,
    resampled: Resampled,
    images: int,
    level: float = 0.95,
    population: str = BOTH,
) -> Interval:
    """Two-way random effects of a figure that is no mean: resamples say what images add."""
    method = "two-way random effects, images by bootstrap, Satterthwaite t"
    return interval(mean_squares(own, resampled, images), population, level, method)


def mean_squares(own: OfSeeds, resampled: Resampled, images: int) -> MeanSquares:
    """The mean squares of cells that have these means, and spread as these resamples do."""
    seeds, cells = len(own), len(own) * images
    together = resampled.mean(1)
    left = resampled - together[:, None]
    left = left - left.mean(0)
    more = images / max(images - 1, 1)  # a resample's mean spreads less by as much
    residual = more * left.var(0, ddof=1).sum() / max(seeds - 1, 1)  # of one seed's mean
    return MeanSquares(
        float(own.mean()),
        seeds,
        images,
        images * float(own.var(ddof=1)) if seeds > 1 else 0.0,
        cells * more * float(together.var(ddof=1)),
        images * float(residual),
    )
