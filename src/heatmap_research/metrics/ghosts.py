"""How often two figures in one crop are mixed up.

Joints count whose true place and the second figure's same joint are more than 8 px apart along both
axes. A ghost is read within 3 px of a crossed place: the x of one figure with the y of the other.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torchmetrics import Metric

from heatmap_research.metrics.measures import CROP, Columns, Measure, PerRow
from heatmap_research.metrics.pixel_error import length
from heatmap_research.types import Prediction, Sample, Tensor

APART_PX, NEAR_PX = 8.0, 3.0
FIGURES = ("ghosts", "at_other_figure")

Points = Float[Tensor, "*joints 2"]


class Ghosts(Metric):
    """Shares of joints read at a crossed place and at the other figure; nan without such joints."""

    full_state_update = False
    higher_is_better = False
    figures = FIGURES
    total: Tensor  # of each figure
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        zeros = torch.zeros(len(FIGURES), dtype=torch.float64)
        self.add_state("total", zeros, dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, batch: Sample) -> None:
        counted = (batch.visible > 0) & is_apart(batch.keypoints, batch.others)
        for place, figure in enumerate(FIGURES):
            read = is_read_at(figure, prediction.keypoints, batch.keypoints, batch.others)
            self.total[place] += (read & counted).sum()
        self.count += counted.sum()

    def compute(self) -> dict[str, Tensor]:
        return dict(zip(FIGURES, (self.total / self.count).unbind(), strict=True))


def is_apart(first: Points, second: Points) -> Bool[Tensor, "*joints"]:
    return ((second - first).abs() > APART_PX).all(-1)  # never where a figure is nan


def is_read_at(figure: str, read: Points, first: Points, second: Points) -> Bool[Tensor, "*joints"]:
    """Whether a joint is read at either crossed place of two figures, or at the second figure."""
    if figure == "at_other_figure":
        return length(read - second) <= NEAR_PX
    (x1, y1), (x2, y2) = first.unbind(-1), second.unbind(-1)
    crossed = (torch.stack(pair, -1) for pair in ((x1, y2), (x2, y1)))
    return torch.stack([length(read - place) <= NEAR_PX for place in crossed]).any(0)


def measure(figure: str) -> Measure | None:
    if figure not in FIGURES:
        return None

    def rows(columns: Columns, sigmas: Sequence[float]) -> tuple[PerRow, PerRow]:
        read, first, second = (
            torch.stack([columns[f"{axis}{of}"].double() for axis in ("x", "y")], dim=-1)
            for of in ("", "_true", "_other")
        )
        counted = (columns["visible"] > 0) & is_apart(first, second)
        return is_read_at(figure, read, first, second).double(), counted.double()

    columns = (*CROP, "x_other", "y_other")
    return Measure("of joints", Ghosts.higher_is_better, columns, rows)
