"""Curves of ghosts, of ranks and of decoded beliefs, each beside its law."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.theory.ghosts import maps, noise, occlusion, rank
from heatmap_research.analysis.theory.law_curves import LawCurve, Points, Values, law_curve
from heatmap_research.analysis.theory.laws import ghosts as law
from heatmap_research.codec.protocols import Decoder

SHAPE, FIRST, SECOND = (48, 48), (14, 12), (36, 34)  # of a map, and where its two modes are
VECTOR_TRIALS, MAP_TRIALS = 5000, 1000  # maps take longer
Fits = Mapping[str, Mapping[int, maps.Map]]  # by label, then by rank


def masses(shares: Points) -> list[LawCurve]:
    """Ghost mass in the product of two modes' marginals, and in a mixture of two products."""
    beliefs = [[maps.Mode(q, FIRST), maps.Mode(1 - q, SECOND)] for q in shares.tolist()]
    planes = [maps.mixture(modes, SHAPE) for modes in beliefs]
    products = [maps.product(plane) for plane in planes]
    mixtures = [rank.fit(plane, 2, steps=100, seed=0).map for plane in planes]
    of_products, of_mixtures = (
        list(map(maps.ghost_share, each, beliefs)) for each in (products, mixtures)
    )
    expected = [law.ghost_mass((q, 1 - q)) for q in shares]
    return [
        law_curve("product of marginals, 2 q (1 - q)", shares, of_products, expected),
        law_curve("mixture of two pairs of vectors", shares, of_mixtures, [0.0] * len(shares)),
    ]


def rates(shares: Points, level: float, seed: int) -> list[LawCurve]:
    """Ghost rate of argmax over the chance of the first mode, by what the axes have in common."""
    parts = {"choose alone": 0.0, "share half of their doubt": 0.5, "share 90 % of it": 0.9}
    by_name = {
        f"axes {words}": [noise.vectors(float(q), level, part, VECTOR_TRIALS, seed) for q in shares]
        for words, part in parts.items()
    }
    whole = [noise.maps(float(q), level, MAP_TRIALS, seed)[0] for q in shares]
    by_name["argmax of a 2-D map"] = whole
    return [_of_rates(name, [rate.first for rate in each], each) for name, each in by_name.items()]


def over_noise(levels: Points, share: float, seed: int) -> list[LawCurve]:
    """Ghost rate of argmax over noise, by where the noise comes in."""
    of_maps = [noise.maps(share, float(level), MAP_TRIALS, seed) for level in levels]
    alone, together = (
        [noise.vectors(share, float(level), part, VECTOR_TRIALS, seed) for level in levels]
        for part in (0.0, 0.9)
    )
    by_name = {
        "two vectors, noise of their own": alone,
        "two vectors that share 90 % of it": together,
        "sums over a noisy 2-D map": [summed for _, summed in of_maps],
        "the 2-D map itself": [whole for whole, _ in of_maps],
    }
    return [_of_rates(name, levels, measured) for name, measured in by_name.items()]


def over_shapes(ratios: Points, shares: Points) -> dict[bool, Float64[np.ndarray, "case 2"]]:
    """Pairs of ratio and share, by whether a lying and a standing mode make a ghost."""
    pairs: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for ratio, q in product(ratios.tolist(), shares.tolist()):
        modes = [
            maps.Mode(q, (20, 20), (2.0, 2 * ratio)),
            maps.Mode(1 - q, (60, 60), (2 * ratio, 2.0)),
        ]
        ghost = maps.ghost_without_noise(maps.mixture(modes, (80, 80)), modes)
        pairs[ghost].append((ratio, q))
    return {ghost: np.array(some).reshape(-1, 2) for ghost, some in pairs.items()}


def excesses(labels: Mapping[str, maps.Map], fits: Fits) -> list[LawCurve]:
    """Nats above each label's entropy; at rank 1 the law is the mutual information of the axes."""
    curves = []
    for name, label in labels.items():
        measured = {r: rank.divergence(label, fit) for r, fit in fits[name].items()}
        curves.append(_over_rank(name, measured, rank.divergence(label, maps.product(label))))
    return curves


def ghosts_of_fits(modes: Mapping[str, Sequence[maps.Mode]], fits: Fits) -> list[LawCurve]:
    curves = []
    for name, those in modes.items():
        measured = {r: maps.ghost_share(fit, those) for r, fit in fits[name].items()}
        curves.append(_over_rank(name, measured, law.ghost_mass([mode.share for mode in those])))
    return curves


def beliefs(
    decoders: Mapping[str, Decoder], shares: Points, tolerance: float, level: float, seed: int
) -> tuple[list[LawCurve], list[LawCurve]]:
    """Expected distances and expected OKS over the share of one of two places.

    Decoders read maps without noise; argmax reads noisy ones too, in both layouts.
    """
    pairs = [_read(name, each, shares, tolerance) for name, each in decoders.items()]
    for layout in ("2d", "1d"):
        name = f"argmax, {layout[0]}-D, noise {level:g}"
        noisy = [
            occlusion.under_noise(q, level, layout, tolerance, trials=200, seed=seed)
            for q in shares.tolist()
        ]
        lengths, oks = zip(*noisy, strict=True)
        pairs.append((law_curve(name, shares, lengths), law_curve(name, shares, oks)))
    distances, similarities = zip(*pairs, strict=True)
    return list(distances), list(similarities)


def _read(
    name: str, decoder: Decoder, shares: Points, tolerance: float
) -> tuple[LawCurve, LawCurve]:
    """The laws are those of an answer at the mean, or at the likelier mode."""
    planes = [occlusion.posterior(q) for q in shares.tolist()]
    answers = [(plane, occlusion.decoded(plane, decoder)) for plane in planes]
    lengths = [occlusion.distance(*answer) for answer in answers]
    oks = [occlusion.similarity(*answer, tolerance) for answer in answers]
    mean = name == "soft_argmax"
    at = occlusion.at_the_mean if mean else occlusion.at_a_mode
    ways = [(q, 1 - q if mean else 0.0) for q in shares.tolist()]
    similar = [occlusion.similarity_between(*way, tolerance) for way in ways]
    distance = law_curve(name, shares, lengths, [at(q) for q, _ in ways])
    return distance, law_curve(name, shares, oks, similar)


def _of_rates(name: str, across: Values, measured: Sequence[noise.Rates]) -> LawCurve:
    """The law is that of the chance and the covariance which were measured."""
    expected = [float(law.ghost_rate(rate.first, rate.covariance)) for rate in measured]
    return law_curve(name, across, [rate.ghost for rate in measured], expected)


def _over_rank(name: str, measured: Mapping[int, float], at_one: float) -> LawCurve:
    """A law speaks of rank 1 only."""
    expected = [at_one if r == 1 else np.nan for r in measured]
    return law_curve(name, list(measured), list(measured.values()), expected)
