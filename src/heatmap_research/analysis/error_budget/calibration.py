"""What scores are worth: do they say how often points are right, and do they put the worst last?

`right` says which points (or people) are right, `loss` what each costs; scores lie in [0, 1].
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

Scores = Float64[np.ndarray, " point"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often points are right: a row for each interval of scores that holds points."""

    score: Float64[np.ndarray, " interval"]  # mean
    rate: Float64[np.ndarray, " interval"]  # share that is right
    count: Float64[np.ndarray, " interval"]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance of rate and score, weighted by count."""
        return float(np.average(np.abs(self.rate - self.score), weights=self.count))


@dataclass(frozen=True, eq=False)
class Risk:
    """The mean loss of the surest points, over the share of all points that these are."""

    coverage: Float64[np.ndarray, " point"]
    risk: Float64[np.ndarray, " point"]
    best: Float64[np.ndarray, " point"]  # if the score ordered by loss itself

    @property
    def aurc(self) -> float:
        """The area under the curve of risk: its mean over all numbers of points to keep."""
        return float(self.risk.mean())

    @property
    def excess(self) -> float:
        """How much larger the area is than that of the best order."""
        return self.aurc - float(self.best.mean())


def reliability(
    scores: Scores, right: Bool[np.ndarray, " point"], intervals: int = 10
) -> Reliability:
    """Intervals are equally wide and closed below; the last is closed above too."""
    part = np.minimum((scores * intervals).astype(int), intervals - 1)
    there = np.unique(part)
    count = np.bincount(part)[there].astype(float)
    score, rate = (np.bincount(part, values)[there] / count for values in (scores, right))
    return Reliability(score, rate, count)


def risk(scores: Scores, loss: Scores) -> Risk:
    """Points of equal score have no order, so each counts as their mean loss."""
    number = np.arange(1, len(scores) + 1)
    _, group = np.unique(-scores, return_inverse=True)
    means = np.bincount(group, loss) / np.bincount(group)
    ordered = means[np.sort(group)]
    curves = [np.cumsum(values) / number for values in (ordered, np.sort(loss))]
    return Risk(number / len(scores), *curves)
