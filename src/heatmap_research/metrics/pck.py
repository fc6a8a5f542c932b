import math
from collections.abc import Sequence

import torch
from jaxtyping import Float

from heatmap_research.metrics._per_joint import PerJointMean
from heatmap_research.metrics.measures import CROP, Columns, Measure, PerRow, away
from heatmap_research.metrics.pixel_error import length
from heatmap_research.types import PerJoint, Tensor

FIGURES = ("PCK@0.5px (or any other number of crop pixels)",)


class Pck(PerJointMean):
    """The share of joints whose error is at most a threshold."""

    higher_is_better = True

    def __init__(
        self,
        name: str,
        thresholds: Sequence[float],
        names: Sequence[str],
        size: str,
        pair: Sequence[str] | None,
        without: Sequence[str],
        average: str,
    ) -> None:
        if not thresholds or min(thresholds) < 0:
            raise ValueError(f"metric.pck.thresholds={list(thresholds)}: give some, none negative.")
        self.thresholds, self.values = list(thresholds), len(thresholds)
        super().__init__(names, size, pair, without, average)
        unit = "px" if size == "pixel" else ""
        self.figures = [f"{name}@{threshold:g}{unit}" for threshold in thresholds]

    def of_errors(self, error: PerJoint) -> Float[Tensor, "value batch joint"]:
        return is_found(error, self.thresholds)

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(self.figures, self.means().unbind(), strict=True))


def is_found(
    error: Float[Tensor, "..."], thresholds: Sequence[float]
) -> Float[Tensor, "threshold ..."]:
    """1 where the error is at most the threshold, and 0 elsewhere."""
    return torch.stack([(error <= threshold).double() for threshold in thresholds])


def measure(figure: str) -> Measure | None:
    threshold = _threshold(figure)
    if threshold is None:
        return None

    def rows(columns: Columns, sigmas: Sequence[float]) -> tuple[PerRow, PerRow]:
        (found,) = is_found(length(away(columns)), [threshold])
        return found, (columns["visible"] > 0).double()

    return Measure("of joints", Pck.higher_is_better, CROP, rows)


def _threshold(figure: str) -> float | None:
    """The crop pixels that a figure such as PCK@0.5px names."""
    name, _, size = figure.partition("@")
    if name != "PCK" or not size.endswith("px"):
        return None
    try:
        threshold = float(size.removesuffix("px"))
    except ValueError:
        return None
    if not 0 < threshold < math.inf:
        raise ValueError(f"metric={figure}: the distance must be greater than 0 px.")
    return threshold
