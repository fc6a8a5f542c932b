"""Between the layouts: a map as a mixture of pairs of vectors, as many as its rank.

Its scores are the log of a sum over ranks of exponentials of sums of two vectors. Rank 1 is SimCC.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy import special

from heatmap_research.analysis.theory.ghosts.maps import Map, marginals

TINY = 1e-300  # keeps an empty bin's logarithm finite


@dataclass(frozen=True, eq=False)
class Fit:
    """A mixture: each component's share, and its distributions over rows and over columns."""

    shares: Float64[np.ndarray, " rank"]
    rows: Float64[np.ndarray, "rank row"]
    columns: Float64[np.ndarray, "rank column"]

    @property
    def map(self) -> Map:
        return (self.shares[:, None] * self.rows).T @ self.columns


def fit(label: Map, rank: int, steps: int, seed: int, starts: int = 3) -> Fit:
    """The mixture with the lowest cross-entropy with a label that several starts lead to.

    Each climbs by expectation maximisation (Hofmann, 1999), which may end at a local optimum.
    """
    random = np.random.default_rng(seed)
    fits = [_climb(label, _start(label, rank, random), steps) for _ in range(starts)]
    return min(fits, key=lambda each: divergence(label, each.map))


def divergence(label: Map, plane: Map) -> float:
    """Nats by which the cross-entropy of a map with its label exceeds the label's own entropy."""
    return float(special.rel_entr(label, plane.clip(TINY)).sum())


def _start(label: Map, rank: int, random: np.random.Generator) -> Fit:
    """Marginals, disturbed in every component, because components that are alike stay alike."""
    rows, columns = (
        _summing_to_one(each * random.uniform(0.1, 1, (rank, len(each))))
        for each in marginals(label)
    )
    return Fit(np.full(rank, 1 / rank), rows, columns)


def _climb(label: Map, now: Fit, steps: int) -> Fit:
    for _ in range(steps):
        ratio = label / now.map.clip(TINY)
        rows = now.rows * (ratio @ now.columns.T).T  # what each component is responsible for
        columns = now.columns * (now.rows @ ratio)
        shares = now.shares * rows.sum(1)
        now = Fit(shares / shares.sum(), _summing_to_one(rows), _summing_to_one(columns))
    return now


def _summing_to_one(vectors: Float64[np.ndarray, "rank bin"]) -> Float64[np.ndarray, "rank bin"]:
    return vectors / vectors.sum(1, keepdims=True).clip(TINY)
