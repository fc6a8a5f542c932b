"""What decoders make of a posterior with two modes, such as a covered wrist's: left or right.

Two modes of equal width, apart along both axes, and a network that knows their shares exactly: what
is lost is the decoder's. Bins throughout.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from heatmap_research.analysis.theory.ghosts.maps import Map, Mode, marginals, mixture
from heatmap_research.codec.protocols import Decoder

SHAPE = (64, 64)
SIGMA = 2.0  # of each mode
APART = 24.0  # along each axis
MIDDLES = ((20.3, 20.4), (20.3 + APART, 20.4 + APART))

Point = tuple[float, float]  # y, x


def posterior(share: float) -> Map:
    """Of the first mode, and of the second what remains."""
    pairs = zip((share, 1 - share), MIDDLES, strict=True)
    return mixture([Mode(part, middle, (SIGMA, SIGMA)) for part, middle in pairs], SHAPE)


def decoded(plane: Map, decoder: Decoder, layout: str) -> Point:
    """From the map, or from its marginals."""
    read = [plane] if layout == "2d" else list(marginals(plane))
    found = [decoder(torch.from_numpy(each)[None, None], 1.0).flatten() for each in read]
    y, x = torch.cat(found).tolist()
    return y, x


def distance(plane: Map, point: Point) -> float:
    """To be expected, if the truth lies as the posterior says."""
    y, x = (np.arange(size) - place for size, place in zip(plane.shape, point, strict=True))
    return float((plane * np.hypot.outer(y, x)).sum())


def similarity(plane: Map, point: Point, tolerance: float) -> float:
    """OKS to be expected, which falls to exp(-1/2) at the tolerance."""
    y, x = (np.arange(size) - place for size, place in zip(plane.shape, point, strict=True))
    return float((plane * np.exp(-np.add.outer(y**2, x**2) / (2 * tolerance**2))).sum())


def costs(
    decoders: Mapping[str, Decoder], shares: Sequence[float], layout: str, tolerance: float
) -> dict[str, tuple[list[float], list[float]]]:
    """Expected distance and OKS of each decoder, over the first mode's share."""
    planes = [posterior(share) for share in shares]
    found = {
        name: [decoded(plane, decoder, layout) for plane in planes]
        for name, decoder in decoders.items()
    }
    return {
        name: (
            [distance(*pair) for pair in zip(planes, points, strict=True)],
            [similarity(*pair, tolerance) for pair in zip(planes, points, strict=True)],
        )
        for name, points in found.items()
    }


def under_noise(
    share: float, noise: float, layout: str, tolerance: float, trials: int, seed: int
) -> tuple[float, float]:
    """Mean expected distance and OKS of argmax, where every bin of what it reads is noisy.

    Noise is a share of the peak that a mode of share 1 would have, in the map or in a vector.
    """
    plane = posterior(share)
    random = np.random.default_rng(seed)
    read = [plane] if layout == "2d" else list(marginals(plane))
    peaks = [1 / (math.sqrt(2 * math.pi) * SIGMA) ** each.ndim for each in read]
    costs = []
    for _ in range(trials):
        parts = [
            each / peak + noise * random.standard_normal(each.shape)
            for each, peak in zip(read, peaks, strict=True)
        ]
        places = [np.unravel_index(part.argmax(), part.shape) for part in parts]
        y, x = (float(bins) for place in places for bins in place)
        costs.append((distance(plane, (y, x)), similarity(plane, (y, x), tolerance)))
    lengths, similarities = np.transpose(costs)
    return float(lengths.mean()), float(similarities.mean())


def at_a_mode(share: float) -> float:
    """Expected distance of an answer in the middle of the mode that has this share."""
    return share * SIGMA * math.sqrt(math.pi / 2) + (1 - share) * APART * math.sqrt(2)


def at_the_mean(share: float) -> float:
    """Between the modes, where the truth never is; their width does next to nothing there."""
    return 2 * share * (1 - share) * APART * math.sqrt(2)


def similarity_between(share: float, along: float, tolerance: float) -> float:
    """Expected OKS of an answer at a share of the way from this mode to the other."""
    wide = SIGMA**2 + tolerance**2  # a Gaussian blurred by a Gaussian
    near, far = (math.exp(-((way * APART) ** 2) / wide) for way in (along, 1 - along))
    return tolerance**2 / wide * (share * near + (1 - share) * far)
