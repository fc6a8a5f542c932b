from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torchmetrics import Metric

from heatmap_research.codec import heatmaps
from heatmap_research.metrics import measures, oks
from heatmap_research.metrics.measures import SOURCE, Columns, Measure, PerRow
from heatmap_research.types import Prediction, Sample, Tensor

FIGURES = ("mean_oks",)


class MeanOks(Metric):
    """The mean OKS of people with labelled joints, each with its own truth; it knows no scores."""

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
        similarity, counted = of_people(prediction, batch, self.tolerances)
        self.total += torch.where(counted, similarity, 0).sum()
        self.count += counted.sum()

    def compute(self) -> Tensor:
        return self.total / self.count


def of_people(
    prediction: Prediction, batch: Sample, tolerances: Sequence[float]
) -> tuple[Float[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Each person's OKS with its own truth, and whether any of its joints is labelled."""
    away = prediction.keypoints.double() - batch.keypoints
    away = away @ batch.to_source[..., :2].double().mT
    area = batch.scale.double()[:, None] ** 2
    labelled = batch.visible > 0
    terms = of_joints(away, area, heatmaps.constant(tolerances, away))
    counts = labelled.sum(-1).clamp(min=1)
    return torch.where(labelled, terms, 0).sum(-1) / counts, labelled.any(-1)


def of_joints(
    away: Float[Tensor, "*joints 2"],  # source pixels
    area: Float[Tensor, "*#joints"],  # of the person, square source pixels
    sigmas: Float[Tensor, "*#joints"],
) -> Float[Tensor, "*joints"]:
    """A person's OKS is the mean of these over its labelled joints."""
    return (-oks.exponents(away, area, sigmas)).exp()


def measure(figure: str) -> Measure | None:
    return Measure("OKS", MeanOks.higher_is_better, SOURCE, _rows) if figure in FIGURES else None


def _rows(columns: Columns, sigmas: Sequence[float]) -> tuple[PerRow, PerRow]:
    """A person's labelled joints share a weight of one."""
    of_joint = torch.tensor(sigmas, dtype=torch.float64)[columns["joint"].long()]
    away, area = measures.away(columns, "_source"), columns["scale"].double() ** 2
    labelled = (columns["visible"] > 0).double()
    _, person = columns["instance"].unique(return_inverse=True)
    joints = torch.bincount(person, labelled)
    return of_joints(away, area, of_joint), labelled / joints[person].clamp(min=1)
