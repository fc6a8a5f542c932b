from typing import Literal

import torch
from torchmetrics import Metric

from heatmap_research.types import Prediction, Sample, Tensor

LEVELS = {"labelled": (1, 2), "covered": (1, 1), "visible": (2, 2)}


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
        self.least, self.most = LEVELS[among]
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, batch: Sample) -> None:
        distance = torch.linalg.vector_norm(prediction.keypoints - batch.keypoints, dim=-1)
        counted = (batch.visible >= self.least) & (batch.visible <= self.most)
        self.total += torch.where(counted, distance, 0).sum(dtype=torch.float64)
        self.count += counted.sum()

    def compute(self) -> Tensor:
        return self.total / self.count
