"""Maps with several modes, and what their marginals keep of them; lengths are in bins."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

Map = Float64[np.ndarray, "row column"]
Vector = Float64[np.ndarray, " bin"]


@dataclass(frozen=True)
class Mode:
    """A Gaussian that holds a share of a map's mass; pairs are y, x."""

    share: float
    middle: tuple[float, float]
    sigmas: tuple[float, float] = (2.0, 2.0)


def mixture(modes: Sequence[Mode], shape: tuple[int, int]) -> Map:
    """The sum of the modes, as a distribution over the bins."""
    total = np.zeros(shape)
    for mode in modes:
        rows, columns = _profiles(mode, shape)
        total += mode.share * np.outer(rows / rows.sum(), columns / columns.sum())
    return total / total.sum()


def tilted(sigma: float, correlation: float, shape: tuple[int, int]) -> Map:
    """One Gaussian in the middle of the map whose axes covary, as along a limb."""
    y, x = (np.arange(size) - (size - 1) / 2 for size in shape)
    square = y[:, None] ** 2 - 2 * correlation * np.outer(y, x) + x**2
    density = np.exp(-square / (2 * sigma**2 * (1 - correlation**2)))
    return density / density.sum()


def ring(radius: float, sigma: float, shape: tuple[int, int]) -> Map:
    """A belief that knows the distance from the middle of the map, and not the direction."""
    y, x = (np.arange(size) - (size - 1) / 2 for size in shape)
    density = np.exp(-0.5 * ((np.hypot.outer(y, x) - radius) / sigma) ** 2)
    return density / density.sum()


def marginals(plane: Map) -> tuple[Vector, Vector]:
    """The distribution over rows, and the one over columns."""
    return plane.sum(1), plane.sum(0)


def product(plane: Map) -> Map:
    """The best map that a pair of vectors can say: the marginals, taken as independent."""
    return np.outer(*marginals(plane))


def ghost_share(plane: Map, modes: Sequence[Mode], reach: float = 4.0) -> float:
    """The mass that lies more than `reach` sigmas away along an axis, from every mode."""
    least = math.exp(-0.5 * reach**2)
    near = np.zeros(plane.shape, dtype=bool)
    for mode in modes:
        rows, columns = _profiles(mode, plane.shape)
        near |= np.outer(rows >= least, columns >= least)
    return float(plane[~near].sum())


def ghost_without_noise(plane: Map, modes: Sequence[Mode]) -> bool:
    """Whether the highest bins of the two marginals belong to different modes."""
    down, across = (
        min(range(len(modes)), key=lambda m: abs(modes[m].middle[axis] - vector.argmax()))
        for axis, vector in enumerate(marginals(plane))
    )
    return down != across


def _profiles(mode: Mode, shape: tuple[int, ...]) -> tuple[Vector, Vector]:
    rows, columns = (
        np.exp(-0.5 * ((np.arange(size) - place) / sigma) ** 2)
        for size, place, sigma in zip(shape, mode.middle, mode.sigmas, strict=True)
    )
    return rows, columns
