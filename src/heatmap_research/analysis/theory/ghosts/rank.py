"""What lies between the layouts: a map as a mixture of so many pairs of vectors.

As scores, the log of a sum of exponentials of sums of two vectors; rank 1 is SimCC.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heatmap_research.analysis.theory.ghosts.maps import Map

TINY = 1e-300  # keeps an empty bin's logarithm finite


@dataclass(frozen=True, eq=False)
class Fit:
    """Distributions over rows and over columns of each component, and its share of the whole."""

    shares: Float64[np.ndarray, " rank"]
    rows: Float64[np.ndarray, "rank row"]
    columns: Float64[np.ndarray, "rank column"]

    @property
    def map(self) -> Map:
        return (self.shares[:, None] * self.rows).T @ self.columns


def fit(label: Map, rank: int, steps: int, seed: int, starts: int = 3) -> Fit:
    """The mixture of least cross-entropy with a label, the best of several starts.

    By expectation maximisation (Hofmann, 1999); near the optimum, as others may be better.
    """
    random = np.random.default_rng(seed)
    fits = [_climb(label, _start(label, rank, random), steps) for _ in range(starts)]
    return min(fits, key=lambda each: divergence(label, each.map))


def divergence(label: Map, found: Map) -> float:
    """Nats by which the cross-entropy of a map with its label exceeds the label's own entropy."""
    held = label > TINY
    return float((label[held] * np.log(label[held] / found[held].clip(TINY))).sum())


def _start(label: Map, rank: int, random: np.random.Generator) -> Fit:
    """About the marginals, each component otherwise disturbed: alike ones would stay alike."""
    rows, columns = (
        each * random.uniform(0.1, 1, (rank, len(each))) for each in (label.sum(1), label.sum(0))
    )
    shares = np.full(rank, 1 / rank)
    return Fit(shares, _summing_to_one(rows), _summing_to_one(columns))


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
