"""What a score is worth: does it say how often a point is right, and does it put the worst last?

`right` says of each point, or person, whether it is; `loss` what it costs. Scores lie in [0, 1].
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

Scores = Float64[np.ndarray, " point"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """A row an interval of scores that holds points."""

    score: Float64[np.ndarray, " interval"]  # mean
    rate: Float64[np.ndarray, " interval"]  # share that is right
    count: Float64[np.ndarray, " interval"]

    @property
    def ece(self) -> float:
        """Expected calibration error: mean distance of rate and score, by count."""
        return float(np.average(np.abs(self.rate - self.score), weights=self.count))

    def as_json(self) -> dict[str, Any]:
        return {"ece": self.ece, **{name: v.tolist() for name, v in asdict(self).items()}}


@dataclass(frozen=True, eq=False)
class Risk:
    """Mean loss of the surest points, over the share of all that these are."""

    coverage: Float64[np.ndarray, " point"]
    risk: Float64[np.ndarray, " point"]
    best: Float64[np.ndarray, " point"]  # if the score ordered by loss itself

    @property
    def aurc(self) -> float:
        """Area under the curve of risk: its mean over every number of points that is kept."""
        return float(self.risk.mean())

    @property
    def excess(self) -> float:
        """Above what the best order would have."""
        return self.aurc - float(self.best.mean())


def reliability(
    scores: Scores, right: Bool[np.ndarray, " point"], intervals: int = 10
) -> Reliability:
    """In intervals of equal width, of which each but the last lacks its upper end."""
    part = np.minimum((scores * intervals).astype(int), intervals - 1)
    counts = np.bincount(part)
    there = counts > 0
    count = counts[there].astype(float)
    score, rate = (np.bincount(part, values)[there] / count for values in (scores, right))
    return Reliability(score, rate, count)


def risk(scores: Scores, loss: Scores) -> Risk:
    """Points of equal score come in no order: each counts as the mean of them."""
    number = np.arange(1, len(scores) + 1)
    _, group = np.unique(-scores, return_inverse=True)
    means = np.bincount(group, loss) / np.bincount(group)
    ordered = means[np.sort(group)]
    curves = [np.cumsum(values) / number for values in (ordered, np.sort(loss))]
    return Risk(number / len(scores), *curves)
