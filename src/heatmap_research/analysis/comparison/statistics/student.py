"""Student's t distribution, for any degrees of freedom from 1 on."""

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from scipy import special

Numbers = float | Float[np.ndarray, "..."]
Part = tuple[Numbers, float]  # a variance, and its degrees of freedom
Nodes = Float[np.ndarray, " node"]

_log_gamma = np.vectorize(math.lgamma, otypes=[float])
STEPS = 500  # more than any continued fraction or root here takes


def above(t: Numbers, freedom: Numbers) -> Numbers:
    """Chance that the variable is greater, exact in the upper tail."""
    t, freedom = (np.asarray(each, dtype=float) for each in (t, freedom))
    square = t**2
    both = _beta(freedom / (freedom + square), square / (freedom + square), freedom / 2)
    return np.where(t > 0, both / 2, 1 - both / 2)


def quantile(share: float, freedom: Numbers) -> Numbers:
    """What the variable stays below with this chance; share above one half.

    Newton's steps on a convex tail, begun below the answer, never pass it.
    """
    t = np.full(np.shape(freedom), NormalDist().inv_cdf(share))
    for _ in range(STEPS):
        step = (above(t, freedom) - (1 - share)) / _density(t, freedom)
        t = t + step
        if np.all(np.abs(step) <= 1e-13 * t):
            break
    return t


def freedom(share: float, quantile: Numbers, low: float, high: float) -> Numbers:
    """With which this is the quantile of this share; the nearer end where it is beyond."""
    least, most = np.full(np.shape(quantile), low), np.full(np.shape(quantile), high)
    for _ in range(24):  # to a millionth
        middle = np.sqrt(least * most)
        more = above(quantile, middle) > 1 - share
        least, most = np.where(more, middle, least), np.where(more, most, middle)
    return np.sqrt(least * most)


def above_both(distance: Numbers, first: Part, second: Part) -> Numbers:
    """Chance that two errors which add, each known from its own degrees of freedom, are greater.

    That at which each alone goes as far as makes the squares of both its square (Cochran and Cox).
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
    """What holds far out, where degrees of freedom that are right at one level are too many."""

    parts: tuple[Part, Part]  # variances that add up to that of a mean
    alone: tuple[Part, Part]  # of the mean if only one of both were drawn anew

    def above(self, distance: Numbers) -> Numbers:
        """The greatest of the chances: to be surer of both than of one makes no sense."""
        errors = [np.sqrt(np.maximum(variance, 1e-300)) for variance, _ in self.alone]
        chances = [above(distance / e, part[1]) for e, part in zip(errors, self.alone, strict=True)]
        return functools.reduce(np.maximum, [above_both(distance, *self.parts), *chances])

    def times(self, factor: float) -> "Tails":
        def grown(parts: tuple[Part, Part]) -> tuple[Part, Part]:
            (one, few), (other, many) = parts
            return (one * factor, few), (other * factor, many)

        return Tails(grown(self.parts), grown(self.alone))


def power(ratio: float, freedom: float, level: float) -> float:
    """Chance that a two-sided t test finds a difference of so many standard errors.

    The normal's, over the distribution of the standard error that is estimated.
    """
    limit, spread, weight = _tests(freedom, level)
    found = special.ndtr(ratio - limit * spread) + special.ndtr(-ratio - limit * spread)
    return float((found * weight).sum())


@functools.lru_cache(maxsize=64)
def _tests(freedom: float, level: float) -> tuple[float, Nodes, Nodes]:
    """What t must pass, and what standard errors one of 1 is estimated by, with their chances."""
    return float(quantile((1 + level) / 2, freedom)), *_estimated_error(freedom)


def _estimated_error(freedom: float) -> tuple[Nodes, Nodes]:
    reach = 9 / math.sqrt(2 * freedom)
    low, high = max(0.0, 1 - reach), 1 + reach
    nodes, weights = _legendre()
    spread = low + (high - low) * (nodes + 1) / 2
    half = freedom / 2
    log = math.log(2) + half * math.log(half) - math.lgamma(half)
    density = np.exp(log + (freedom - 1) * np.log(spread) - half * spread**2)
    return spread, density * weights * (high - low) / 2


@functools.cache
def _legendre() -> tuple[Nodes, Nodes]:
    return np.polynomial.legendre.leggauss(200)


def _density(t: Numbers, freedom: Numbers) -> Numbers:
    half = np.asarray(freedom) / 2
    log = _log_gamma(half + 0.5) - _log_gamma(half) - np.log(2 * math.pi * half) / 2
    return np.exp(log - (half + 0.5) * np.log1p(np.square(t) / freedom))


def _beta(x: Numbers, rest: Numbers, a: Numbers) -> Numbers:
    """The regularised incomplete beta function of a and 1/2 at x = 1 - rest."""
    x, rest, a = np.broadcast_arrays(x, rest, a)
    direct = x < (a + 1) / (a + 2.5)
    first, second = np.where(direct, a, 0.5), np.where(direct, 0.5, a)
    x, rest = np.where(direct, x, rest), np.where(direct, rest, x)
    with np.errstate(divide="ignore"):
        log = first * np.log(x) + second * np.log(rest)
    log = log + _log_gamma(a + 0.5) - _log_gamma(a) - _log_gamma(0.5)
    part = np.exp(log) * _fraction(x, first, second) / first
    return np.where(direct, part, 1 - part)


def _fraction(x: Numbers, a: Numbers, b: Numbers) -> Numbers:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = np.ones_like(x), 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for term in (even, odd):
            c, d = 1 + term / c, 1 / (1 + term * d)
            value = value * c * d
        if np.all(np.abs(value - before) <= 1e-15 * np.abs(value)):
            break
    return value
