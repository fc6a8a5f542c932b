"""What decoders make of a posterior with two modes, such as a covered wrist's: left or right.

The modes are equally wide and apart along both axes, and the network knows their shares exactly, so
that the decoder alone loses anything. Lengths are in bins.
"""

import math

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
    """A map whose first mode holds `share` of the mass, and whose second holds the rest."""
    pairs = zip((share, 1 - share), MIDDLES, strict=True)
    return mixture([Mode(part, middle, (SIGMA, SIGMA)) for part, middle in pairs], SHAPE)


def decoded(plane: Map, decoder: Decoder) -> Point:
    """The position that a decoder reads from a map."""
    y, x = decoder(torch.from_numpy(plane)[None, None], 1.0).flatten().tolist()
    return y, x


def distance(plane: Map, point: Point) -> float:
    """The expected distance from the truth, which lies as the posterior says."""
    y, x = (np.arange(size) - place for size, place in zip(plane.shape, point, strict=True))
    return float((plane * np.hypot.outer(y, x)).sum())


def similarity(plane: Map, point: Point, tolerance: float) -> float:
    """The expected OKS; the OKS of a point is exp(-1/2) at the tolerance."""
    y, x = (np.arange(size) - place for size, place in zip(plane.shape, point, strict=True))
    return float((plane * np.exp(-np.add.outer(y**2, x**2) / (2 * tolerance**2))).sum())


def under_noise(
    share: float, noise: float, layout: str, tolerance: float, trials: int, seed: int
) -> tuple[float, float]:
    """The mean of argmax's expected distance and OKS, over trials with noise in every bin.

    It reads the map (layout `2d`) or its marginals (`1d`). Noise is a share of the peak that a mode
    of share 1 would have there.
    """
    plane = posterior(share)
    random = np.random.default_rng(seed)
    read = [plane] if layout == "2d" else list(marginals(plane))
    peaks = [1 / (math.sqrt(2 * math.pi) * SIGMA) ** each.ndim for each in read]
    clean = [each / peak for each, peak in zip(read, peaks, strict=True)]
    costs = []
    for _ in range(trials):
        noisy = [each + noise * random.standard_normal(each.shape) for each in clean]
        places = [np.unravel_index(each.argmax(), each.shape) for each in noisy]
        y, x = (float(bins) for place in places for bins in place)
        costs.append((distance(plane, (y, x)), similarity(plane, (y, x), tolerance)))
    lengths, similarities = np.transpose(costs)
    return float(lengths.mean()), float(similarities.mean())


def at_a_mode(share: float) -> float:
    """The expected distance of an answer in the middle of the mode that has this share."""
    return share * SIGMA * math.sqrt(math.pi / 2) + (1 - share) * APART * math.sqrt(2)


def at_the_mean(share: float) -> float:
    """The expected distance of an answer between the modes, whose width hardly matters there."""
    return 2 * share * (1 - share) * APART * math.sqrt(2)


def similarity_between(share: float, along: float, tolerance: float) -> float:
    """The expected OKS of an answer that lies a share `along` of the way to the other mode."""
    wide = SIGMA**2 + tolerance**2  # a Gaussian blurred by a Gaussian
    near, far = (math.exp(-((way * APART) ** 2) / wide) for way in (along, 1 - along))
    return tolerance**2 / wide * (share * near + (1 - share) * far)
