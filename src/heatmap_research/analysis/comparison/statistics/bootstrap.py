"""The crossed bootstrap: seeds and images drawn anew, each with replacement, apart from each other.

Draws are weights: how often each image, or seed, is in the sample. A mean of many images is then a
product of matrices, and any other figure one of weighted images.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval
from heatmap_research.analysis.comparison.statistics.two_way import MeanSquares, interval

AT_ONCE = 1 << 22  # weights of a block

Resampled = Float[np.ndarray, "resample seed"]  # a figure of each seed, images drawn anew
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
    """The same weights, a few at a time."""
    most = max(1, AT_ONCE // images)
    for start in range(0, resamples, most):
        yield weights(rng, min(most, resamples - start), images)


def means(
    totals: Float[np.ndarray, "seed image"],
    counts: Float[np.ndarray, "seed image"],
    resamples: int,
    rng: np.random.Generator,
) -> Resampled:
    """Of all that is counted in the images drawn."""
    drawn = blocks(rng, resamples, totals.shape[1])
    return np.concatenate([(w @ totals.T) / (w @ counts.T) for w in drawn])


def crossed(
    own: OfSeeds,
    resampled: Resampled,
    images: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Of the figures' mean, as far as resamples of seeds and images spread.

    Few seeds drawn with replacement spread less than seeds do, so that weights are stretched; and a
    spread known from few is widened by Student's t. Percentiles of the draws allow for neither.
    """
    seeds = len(own)
    if seeds == 1:
        return two_way(own, resampled, images, level)
    squares = mean_squares(own, resampled, images)
    drawn = weights(rng, len(resampled), seeds) - 1
    stretched = 1 + np.sqrt(seeds / (seeds - 1)) * drawn
    error = (stretched * resampled).mean(1).std(ddof=1)
    found = interval(squares, BOTH, level, "crossed bootstrap, t")
    return found.with_error(float(error))


def percentiles(
    resampled: Resampled, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Of the mean, seeds and images drawn anew: the bare crossed bootstrap."""
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
    """Two-way random effects of a figure that is no mean: what images add, by resampling them."""
    method = "two-way random effects, images by bootstrap, Satterthwaite t"
    return interval(mean_squares(own, resampled, images), population, level, method)


def mean_squares(own: OfSeeds, resampled: Resampled, images: int) -> MeanSquares:
    """What they would be of cells with these means and spreads."""
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
