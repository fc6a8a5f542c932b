from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torchmetrics import Metric

from heatmap_research.metrics.measures import CROP, Columns, Measure, PerRow, away
from heatmap_research.types import Prediction, Sample, Tensor

LEVELS = {"labelled": (1, 2), "covered": (1, 1), "visible": (2, 2)}
FIGURES = {
    "pixel_error": "labelled",
    "pixel_error_covered": "covered",
    "pixel_error_visible": "visible",
}


class PixelError(Metric):
    """Mean distance in crop pixels; not a number where there is no such joint."""

    full_state_update = False
    higher_is_better = False
    total: Tensor
    count: Tensor

    def __init__(self, among: Literal["labelled", "covered", "visible"]) -> None:
        super().__init__()
        if among not in LEVELS:
            raise ValueError(f"metric.among={among}: choose {', '.join(LEVELS)}.")
        self.among = among
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, batch: Sample) -> None:
        error = length(prediction.keypoints - batch.keypoints)
        counted = is_counted(batch.visible, self.among)
        self.total += torch.where(counted, error, 0).sum(dtype=torch.float64)
        self.count += counted.sum()

    def compute(self) -> Tensor:
        return self.total / self.count


def length(away: Float[Tensor, "*joints 2"]) -> Float[Tensor, "*joints"]:
    return torch.linalg.vector_norm(away, dim=-1)


def is_counted(visible: Int[Tensor, "*joints"], among: str) -> Bool[Tensor, "*joints"]:
    least, most = LEVELS[among]
    return (visible >= least) & (visible <= most)


def measure(figure: str) -> Measure | None:
    if figure not in FIGURES:
        return None

    def rows(columns: Columns, sigmas: Sequence[float]) -> tuple[PerRow, PerRow]:
        counted = is_counted(columns["visible"], FIGURES[figure])
        return length(away(columns)), counted.double()

    return Measure("px", PixelError.higher_is_better, CROP, rows)
