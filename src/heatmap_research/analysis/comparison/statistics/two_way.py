"""Means of tables of seeds by images, both drawn from many more (two-way random effects).

Every seed meets every image, so neither is nested in the other. What a seed adds to all images
stays in the mean however many images there are, and so does what an image adds to all seeds.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from heatmap_research.analysis.comparison.statistics import student
from heatmap_research.analysis.comparison.statistics.interval import (
    BOTH,
    IMAGES,
    ONE_IMAGE,
    ONE_SEED,
    SEEDS,
    Interval,
)

METHOD = "two-way random effects, Satterthwaite t"

Numbers = float | Float[np.ndarray, "*any"]
Cells = Float[np.ndarray, "*any seed image"]


@dataclass(frozen=True)
class MeanSquares:
    """Where a table's variance comes from. Numbers may be arrays, with an entry for each table."""

    mean: Numbers
    seeds: int
    images: int
    seed: Numbers
    image: Numbers
    residual: Numbers

    def components(self) -> tuple[Numbers, Numbers, Numbers]:
        """The variances of seeds, of images and of the rest; none is below 0."""
        seed = np.maximum(self.seed - self.residual, 0) / self.images
        image = np.maximum(self.image - self.residual, 0) / self.seeds
        return seed, image, self.residual

    def error(self, population: str) -> tuple[Numbers, Numbers]:
        """The mean's standard error, and the degrees of freedom of that."""
        cells = self.seeds * self.images
        if population == SEEDS:
            return np.sqrt(self.seed / cells), self.seeds - 1
        if population == IMAGES:
            return np.sqrt(self.image / cells), self.images - 1
        seed, image = self._at_least_residual()
        total = seed + image - self.residual
        freedom = np.minimum(self._satterthwaite(seed, image, total), self._apart(seed, image))
        return np.sqrt(total / cells), np.maximum(freedom, min(self.seeds, self.images) - 1)

    def tails(self) -> student.Tails:
        seed, image = self._at_least_residual()
        cells = self.seeds * self.images
        return student.Tails(
            self._parts((seed - self.residual) / cells, image / cells),
            self._parts(self.seed / cells, self.image / cells),
        )

    def chance(self, distance: Numbers) -> Numbers:
        """The chance that the mean is off by more than this in one direction."""
        error, freedom = self.error(BOTH)
        return np.maximum(student.above(distance / error, freedom), self.tails().above(distance))

    def _parts(self, seed: Numbers, image: Numbers) -> tuple[student.Part, student.Part]:
        return (seed, self.seeds - 1.0), (image, self.images - 1.0)

    def _at_least_residual(self) -> tuple[Numbers, Numbers]:
        return np.maximum(self.seed, self.residual), np.maximum(self.image, self.residual)

    def _satterthwaite(self, seed: Numbers, image: Numbers, total: Numbers) -> Numbers:
        """Degrees of freedom, of mean squares that are not below the residual one."""
        spread = seed**2 / (self.seeds - 1) + image**2 / (self.images - 1)
        spread = spread + self.residual**2 / ((self.seeds - 1) * (self.images - 1))
        return total**2 / np.maximum(spread, np.finfo(float).tiny)

    def _apart(self, seed: Numbers, image: Numbers) -> Numbers:
        """Degrees of freedom of an interval that adds those of seeds and of images in squares.

        It is no narrower than either's own. Satterthwaite's are too many where a few seeds lie
        close together by chance.
        """
        parts = (seed - self.residual, image)
        squares = [_reach(n - 1.0) ** 2 for n in (self.seeds, self.images)]
        both = sum(t * part for t, part in zip(squares, parts, strict=True))
        alone = np.maximum(squares[0] * self.seed, squares[1] * self.image)
        total = np.maximum(sum(parts), np.finfo(float).tiny)
        ratio = np.sqrt(np.maximum(both, alone) / total)
        low, high = sorted((self.seeds - 1.0, self.images - 1.0))
        return student.freedom(0.975, np.maximum(ratio, 1.96), low, high)


@functools.lru_cache(maxsize=64)
def _reach(freedom: float) -> float:
    return float(student.quantile(0.975, freedom))


def linear(totals: Cells, counts: Cells) -> Cells:
    """Cells whose plain mean, for each seed, is the mean of all that was counted in any image.

    An image of four people weighs as much as four images of one, and still counts as one image.
    """
    if (counts.sum(-1) == 0).any():
        raise ValueError("nothing was counted in any image: there is no mean to compare.")
    means = totals.sum(-1, keepdims=True) / counts.sum(-1, keepdims=True)
    return means + (totals - means * counts) / counts.mean(-1, keepdims=True)


def mean_squares(values: Cells) -> MeanSquares:
    seeds, images = values.shape[-2:]
    mean = values.mean((-2, -1), keepdims=True)
    seed, image = (values.mean(axis, keepdims=True) - mean for axis in (-1, -2))
    left = values - mean - seed - image
    freedoms = (max(seeds - 1, 1), max(images - 1, 1))
    of_seeds = images * (seed**2).sum((-2, -1)) / freedoms[0]
    of_images = seeds * (image**2).sum((-2, -1)) / freedoms[1]
    residual = (left**2).sum((-2, -1)) / (freedoms[0] * freedoms[1])
    return MeanSquares(mean[..., 0, 0], seeds, images, of_seeds, of_images, residual)


def two_way(
    values: Float[np.ndarray, "seed image"], population: str = BOTH, level: float = 0.95
) -> Interval:
    """The interval of a table's mean; with one seed, or one image, it covers what it can."""
    return interval(mean_squares(values), population, level)


def interval(
    squares: MeanSquares, population: str = BOTH, level: float = 0.95, method: str = METHOD
) -> Interval:
    one_seed, one_image = squares.seeds == 1, squares.images == 1
    if one_seed and one_image:
        raise ValueError("one seed and one image say nothing of others: give more of either.")
    if (one_seed and population == SEEDS) or (one_image and population == IMAGES):
        raise ValueError(f"one alone says nothing of others: no interval covers {population}.")
    meant = population
    if one_seed:
        meant, population = ONE_SEED, IMAGES
    elif one_image:
        meant, population = ONE_IMAGE, SEEDS
    error, freedom = squares.error(population)
    if population != BOTH:
        method = "t over seeds" if population == SEEDS else "t over images"
    tails = squares.tails() if population == BOTH else None
    return Interval(float(squares.mean), float(error), float(freedom), level, meant, method, tails)
