"""Test predictions of a run as arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from heatmap_research.runs.find import Run

COLUMNS = ["x", "y", "x_true", "y_true", "visible"]


@dataclass(frozen=True, eq=False)
class Errors:
    """Of labelled joints, in pixels of the crop."""

    truth: Float64[np.ndarray, "joint 2"]
    away: Float64[np.ndarray, "joint 2"]

    @property
    def lengths(self) -> Float64[np.ndarray, " joint"]:
        return np.hypot(*self.away.T)


def of(run: Run, decoder: str) -> Errors:
    table = run.predictions("test", decoder, COLUMNS)
    found = {name: table[name].to_numpy() for name in COLUMNS}
    there = found["visible"] > 0
    points, truth = (
        np.stack([found[name][there] for name in names], -1).astype(np.float64)
        for names in (("x", "y"), ("x_true", "y_true"))
    )
    return Errors(truth, points - truth)
