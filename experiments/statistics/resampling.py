"""The crossed bootstrap: seeds and images are drawn anew, with replacement, apart from each other.

The mean of a draw is a product of matrices: the weights of its images, and the table's cells.
"""

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics import bootstrap, two_way
from heatmap_research.analysis.comparison.statistics.interval import BOTH, Interval

Resampled = Float[np.ndarray, "resample seed"]  # each seed's figure on images drawn anew
OfSeeds = Float[np.ndarray, " seed"]


def means(
    totals: Float[np.ndarray, "seed image"],
    counts: Float[np.ndarray, "seed image"],
    resamples: int,
    rng: np.random.Generator,
) -> Resampled:
    """Each seed's mean over all that is counted in the images drawn."""
    drawn = bootstrap.blocks(rng, resamples, totals.shape[1])
    return np.concatenate([(w @ totals.T) / (w @ counts.T) for w in drawn])


def crossed(own: OfSeeds, resampled: Resampled, images: int, rng: np.random.Generator) -> Interval:
    """The interval of the figures' mean, from the spread of resamples of seeds and images.

    Few seeds that are drawn with replacement spread less than new seeds do, so the weights are
    stretched; and Student's t widens a spread that is known from few. Percentiles do neither.
    """
    seeds = len(own)
    squares = bootstrap.mean_squares(own, resampled, images)
    drawn = bootstrap.weights(rng, len(resampled), seeds) - 1
    stretched = 1 + np.sqrt(seeds / (seeds - 1)) * drawn
    error = (stretched * resampled).mean(1).std(ddof=1)
    freedom = float(squares.error(BOTH)[1])
    return Interval(squares.mean, float(error), freedom, 0.95, BOTH, "crossed bootstrap, t")


def percentiles(resampled: Resampled, rng: np.random.Generator) -> tuple[float, float]:
    """The ends of the bare crossed bootstrap's interval of the mean."""
    drawn = bootstrap.weights(rng, *resampled.shape)
    low, high = np.quantile((drawn * resampled).mean(1), [0.025, 0.975])
    return float(low), float(high)


def mixed(own: OfSeeds, resampled: Resampled, images: int) -> Interval:
    """Two-way random effects, as for AP: resamples say what images add."""
    return two_way.interval(bootstrap.mean_squares(own, resampled, images))
