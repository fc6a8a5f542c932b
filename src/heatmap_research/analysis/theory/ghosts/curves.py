"""Ghosts, ranks and decoded beliefs over whatever decides on them, each beside its law."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.theory.ghosts import maps, noise, occlusion, rank
from heatmap_research.analysis.theory.ghosts.maps import Map, Mode
from heatmap_research.analysis.theory.ghosts.noise import Rates
from heatmap_research.analysis.theory.laws import ghosts as law
from heatmap_research.analysis.theory.simulation.curve import Curve, Points
from heatmap_research.codec.protocols import Decoder

SHAPE, FIRST, SECOND = (48, 48), (14, 12), (36, 34)  # of a map, and where its two modes are
TRIALS, OF_MAPS = 5000, 1000  # of vectors, and of maps, which take longer
Fits = Mapping[str, Mapping[int, Map]]  # by label, then by rank


def masses(shares: Points) -> list[Curve]:
    """Ghosts in the product of two modes' marginals, and in a mixture of two products."""
    beliefs = [[Mode(float(q), FIRST), Mode(float(1 - q), SECOND)] for q in shares]
    planes = [maps.mixture(modes, SHAPE) for modes in beliefs]
    products = [maps.product(plane) for plane in planes]
    mixtures = [rank.fit(plane, 2, steps=100, seed=0).map for plane in planes]
    of_products, of_mixtures = (
        [maps.ghost_share(plane, modes) for plane, modes in zip(each, beliefs, strict=True)]
        for each in (products, mixtures)
    )
    expected = [law.ghost_mass((q, 1 - q)) for q in shares]
    return [
        _curve("product of marginals, 2 q (1 - q)", shares, of_products, expected),
        _curve("mixture of two pairs of vectors", shares, of_mixtures, [0.0] * len(shares)),
    ]


def rates(shares: Points, level: float, seed: int) -> list[Curve]:
    """Ghosts of argmax over the chance of the first mode, by what the axes have in common."""
    parts = {"choose alone": 0.0, "share half of their doubt": 0.5, "share 90 % of it": 0.9}
    found = {
        f"axes {words}": [noise.vectors(float(q), level, part, TRIALS, seed) for q in shares]
        for words, part in parts.items()
    }
    found["argmax of a 2-D map"] = [noise.maps(float(q), level, OF_MAPS, seed)[0] for q in shares]
    return [
        _of_rates(name, np.array([rate.first for rate in some]), some)
        for name, some in found.items()
    ]


def over_noise(levels: Points, share: float, seed: int) -> list[Curve]:
    """Ghosts of argmax over noise, by where it comes in."""
    whole, summed = zip(
        *[noise.maps(share, float(level), OF_MAPS, seed) for level in levels], strict=True
    )
    alone, together = (
        [noise.vectors(share, float(level), part, TRIALS, seed) for level in levels]
        for part in (0.0, 0.9)
    )
    found = {
        "two vectors, noise of their own": alone,
        "two vectors that share 90 % of it": together,
        "sums over a noisy 2-D map": summed,
        "the 2-D map itself": whole,
    }
    return [_of_rates(name, levels, some) for name, some in found.items()]


def over_shapes(ratios: Points, shares: Points) -> dict[bool, Float64[np.ndarray, "case 2"]]:
    """Pairs of ratio and share, by whether a lying and a standing mode make a ghost."""
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for ratio in ratios:
        for q in shares:
            lying = Mode(float(q), (20, 20), (2.0, float(2 * ratio)))
            standing = Mode(float(1 - q), (60, 60), (float(2 * ratio), 2.0))
            modes = [lying, standing]
            ghost = maps.ghost_without_noise(maps.mixture(modes, (80, 80)), modes)
            found[ghost].append((float(ratio), float(q)))
    return {ghost: np.array(pairs).reshape(-1, 2) for ghost, pairs in found.items()}


def excesses(labels: Mapping[str, Map], fits: Fits) -> list[Curve]:
    """Nats above each label's entropy over rank; by law the axes' mutual information at rank 1."""
    return [
        _over_rank(
            name,
            {r: rank.divergence(label, fit) for r, fit in fits[name].items()},
            rank.divergence(label, maps.product(label)),
        )
        for name, label in labels.items()
    ]


def ghosts_of_fits(modes: Mapping[str, Sequence[Mode]], fits: Fits) -> list[Curve]:
    return [
        _over_rank(
            name,
            {r: maps.ghost_share(fit, those) for r, fit in fits[name].items()},
            law.ghost_mass([mode.share for mode in those]),
        )
        for name, those in modes.items()
    ]


def beliefs(
    decoders: Mapping[str, Decoder], shares: Points, tolerance: float, level: float, seed: int
) -> tuple[list[Curve], list[Curve]]:
    """Expected distance and expected OKS over the share of one of two places.

    Of decoders without noise, and of argmax under it in both layouts.
    """
    clean = occlusion.costs(decoders, shares.tolist(), "2d", tolerance)
    distances, similarities = [], []
    for name, (lengths, oks) in clean.items():
        mean = name == "soft_argmax"
        at = occlusion.at_the_mean if mean else occlusion.at_a_mode
        ways = 1 - shares if mean else np.zeros_like(shares)
        pairs = zip(shares.tolist(), ways.tolist(), strict=True)
        similar = [occlusion.similarity_between(*pair, tolerance) for pair in pairs]
        distances.append(_curve(name, shares, lengths, [at(q) for q in shares.tolist()]))
        similarities.append(_curve(name, shares, oks, similar))
    for layout, words in (("2d", "2-D"), ("1d", "1-D")):
        name = f"argmax, {words}, noise {level:g}"
        noisy = [
            occlusion.under_noise(q, level, layout, tolerance, trials=200, seed=seed)
            for q in shares.tolist()
        ]
        distances.append(_curve(name, shares, [length for length, _ in noisy], None))
        similarities.append(_curve(name, shares, [oks for _, oks in noisy], None))
    return distances, similarities


def _of_rates(name: str, across: Points, found: Sequence[Rates]) -> Curve:
    """The law with the chance and the covariance that were measured."""
    expected = [float(law.ghost_rate(rate.first, rate.covariance)) for rate in found]
    return _curve(name, across, [rate.ghost for rate in found], expected)


def _over_rank(name: str, found: Mapping[int, float], at_one: float) -> Curve:
    across = np.array(list(found), dtype=float)
    expected = [at_one if r == 1 else np.nan for r in found]
    return _curve(name, across, list(found.values()), expected)


def _curve(
    name: str, across: Points, measured: Sequence[float], expected: Sequence[float] | None
) -> Curve:
    return Curve(name, across, np.array(measured), None if expected is None else np.array(expected))
