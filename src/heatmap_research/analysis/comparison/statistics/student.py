"""Student's t from SciPy, and what it leaves to us: the tail of two errors that add."""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import nctdtr, stdtr, stdtridf, stdtrit

Numbers = float | Float[np.ndarray, "..."]
Part = tuple[Numbers, float]  # a variance, and its degrees of freedom


def above(t: Numbers, freedom: Numbers) -> Numbers:
    """The chance that the variable exceeds t, exact in the upper tail."""
    return stdtr(freedom, np.negative(t))


def quantile(share: float, freedom: Numbers) -> Numbers:
    """The value that the variable stays below with chance `share`."""
    return stdtrit(freedom, share)


def freedom(share: float, quantile: Numbers, low: float, high: float) -> Numbers:
    """The degrees of freedom that have this quantile, held between `low` and `high`."""
    return np.clip(stdtridf(share, quantile), low, high)


def above_both(distance: Numbers, first: Part, second: Part) -> Numbers:
    """The chance that the sum of two errors, each with its own degrees of freedom, exceeds this.

    It is the chance at which the squares of both errors' own quantiles add up to the square of the
    distance (Cochran and Cox).
    """
    (one, few), (other, many) = first, second
    far = np.square(np.asarray(distance, dtype=float))
    least = np.maximum(np.finfo(float).tiny, 1e-18 * (np.asarray(one) + other))
    one, other = np.maximum(one, least), np.maximum(other, least)
    low, high = np.zeros(np.shape(far)), np.sqrt(far / other)
    for _ in range(60):
        middle = (low + high) / 2
        rest = np.sqrt(np.maximum(far - other * middle**2, 0) / one)
        more = above(rest, few) < above(middle, many)
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    chance = above(low, many)
    return np.where(np.asarray(distance) > 0, chance, 1 - chance)


@dataclass(frozen=True)
class Tails:
    """Chances far from a mean, where degrees of freedom that suit one level are too many."""

    parts: tuple[Part, Part]  # variances that add up to that of the mean
    alone: tuple[Part, Part]  # variances of the mean if only one of both were drawn anew

    def above(self, distance: Numbers) -> Numbers:
        """The greatest of the chances: nobody can be surer of both populations than of one."""
        errors = [np.sqrt(np.maximum(variance, 1e-300)) for variance, _ in self.alone]
        chances = [above(distance / e, part[1]) for e, part in zip(errors, self.alone, strict=True)]
        return functools.reduce(np.maximum, [above_both(distance, *self.parts), *chances])


def power(ratio: float, freedom: float, level: float) -> float:
    """The chance that a two-sided t test finds a difference of `ratio` standard errors."""
    limit = stdtrit(freedom, (1 + level) / 2)
    missed, mistaken = np.nan_to_num(nctdtr(freedom, ratio, [limit, -limit]))  # NaN: all but 0
    return float(1 - missed + mistaken)
