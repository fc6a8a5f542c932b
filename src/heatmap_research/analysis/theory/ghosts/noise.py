"""How often the highest bins along two axes belong to different modes, under noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

PLACES = ((15, 45), (20, 50))  # of the first and the second mode along y and along x, bins
SIGMA, SIZE = 2.0, 64  # of the modes, and of the map along each axis
TRIALS_AT_ONCE = 500  # 16 MiB of maps

First = Bool[np.ndarray, " trial"]  # whether an axis chose the first mode


@dataclass(frozen=True)
class Rates:
    """How two axes chose between two modes, over many trials."""

    first: float  # share of choices, of either axis, that fell on the first mode
    covariance: float  # between the two axes' choices
    ghost: float  # share of trials in which they chose different modes


def vectors(share: float, noise: float, together: float, trials: int, seed: int) -> Rates:
    """Rates of argmax over pairs of noisy vectors, whose modes are as high as their shares.

    A share `together` of the noise's variance raises or lowers the first mode along both axes
    alike. The rest moves every bin by itself.
    """
    random = np.random.default_rng(seed)
    lift = noise * together**0.5 * random.standard_normal((trials, 1))
    chosen = []
    for first, second in PLACES:
        heights = (share + lift) * _bump(first) + (1 - share) * _bump(second)
        own = noise * (1 - together) ** 0.5 * random.standard_normal((trials, SIZE))
        chosen.append(_chosen((heights + own).argmax(1), first, second))
    return _rates(*chosen)


def maps(share: float, noise: float, trials: int, seed: int) -> tuple[Rates, Rates]:
    """Rates of argmax over noisy 2-D maps, and those of argmax over the maps' summed marginals."""
    random = np.random.default_rng(seed)
    (first_y, second_y), (first_x, second_x) = PLACES
    plane = share * np.outer(_bump(first_y), _bump(first_x))
    plane += (1 - share) * np.outer(_bump(second_y), _bump(second_x))
    whole, summed = [], []
    for start in range(0, trials, TRIALS_AT_ONCE):
        count = min(TRIALS_AT_ONCE, trials - start)
        noisy = plane + noise * random.standard_normal((count, SIZE, SIZE))
        whole.append(np.unravel_index(noisy.reshape(count, -1).argmax(1), plane.shape))
        summed.append((noisy.sum(2).argmax(1), noisy.sum(1).argmax(1)))
    return _both(whole), _both(summed)


def _both(blocks: Sequence[tuple[np.ndarray, ...]]) -> Rates:
    axes = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return _rates(*(_chosen(bins, *places) for bins, places in zip(axes, PLACES, strict=True)))


def _bump(place: float) -> Float64[np.ndarray, " bin"]:
    return np.exp(-0.5 * ((np.arange(SIZE) - place) / SIGMA) ** 2)


def _chosen(bins: np.ndarray, first: float, second: float) -> First:
    return np.abs(bins - first) < np.abs(bins - second)


def _rates(down: First, across: First) -> Rates:
    first = (down.mean() + across.mean()) / 2
    covariance = np.mean(down & across) - down.mean() * across.mean()
    return Rates(float(first), float(covariance), float(np.mean(down != across)))
