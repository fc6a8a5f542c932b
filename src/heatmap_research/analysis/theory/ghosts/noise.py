"""How often the highest bins along two axes belong to different modes, under noise."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

PLACES = ((15, 45), (20, 50))  # of the first and the second mode along y and along x, bins
SIGMA, SIZE = 2.0, 64  # of the modes, and of the map along each axis


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
    highest = []
    for first, second in PLACES:
        heights = (share + lift) * _bump(first) + (1 - share) * _bump(second)
        own = noise * (1 - together) ** 0.5 * random.standard_normal((trials, SIZE))
        highest.append((heights + own).argmax(1))
    return _rates(*highest)


def maps(share: float, noise: float, trials: int, seed: int) -> tuple[Rates, Rates]:
    """Rates of argmax over noisy 2-D maps, and those of argmax over the maps' summed marginals."""
    first, second = (np.outer(*map(_bump, middle)) for middle in zip(*PLACES, strict=True))
    plane = share * first + (1 - share) * second
    noisy = plane + noise * np.random.default_rng(seed).standard_normal((trials, SIZE, SIZE))
    whole = np.unravel_index(noisy.reshape(trials, -1).argmax(1), plane.shape)
    return _rates(*whole), _rates(noisy.sum(2).argmax(1), noisy.sum(1).argmax(1))


def _bump(place: float) -> Float64[np.ndarray, " bin"]:
    return np.exp(-0.5 * ((np.arange(SIZE) - place) / SIGMA) ** 2)


def _rates(*highest: np.ndarray) -> Rates:
    """Rates of the highest bins along y and along x: an axis chooses the mode that is nearer."""
    down, across = (
        np.abs(bins - first) < np.abs(bins - second)
        for bins, (first, second) in zip(highest, PLACES, strict=True)
    )
    first = (down.mean() + across.mean()) / 2
    covariance = np.mean(down & across) - down.mean() * across.mean()
    return Rates(float(first), float(covariance), float(np.mean(down != across)))
