from collections.abc import Sequence

import torch
from torchmetrics import Metric

from heatmap_research.metrics import _similarity
from heatmap_research.types import Prediction, Sample, Tensor


class MeanOks(Metric):
    """Of people with labelled joints, each with its own truth; it knows no scores."""

    full_state_update = False
    higher_is_better = True
    total: Tensor
    count: Tensor

    def __init__(self, tolerances: Sequence[float]) -> None:
        super().__init__()
        self.tolerances = list(tolerances)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, batch: Sample) -> None:
        similarity, counted = _similarity.oks(prediction, batch, self.tolerances)
        self.total += torch.where(counted, similarity, 0).sum()
        self.count += counted.sum()

    def compute(self) -> Tensor:
        return self.total / self.count
