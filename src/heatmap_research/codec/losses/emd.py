from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Emd:
    """Earth mover's distance in input pixels, taken along each axis by itself and then summed.

    In 2-D it compares marginals only, so it cannot tell two people's joints from their ghosts.
    """

    activation: ClassVar[Activation] = "softmax"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        excess = heatmaps.activate(scores, "softmax") - heatmaps.normalise(label.heatmap)
        work = torch.zeros_like(label.visible)
        for marginal, stride in zip(heatmaps.marginals(excess), label.stride, strict=True):
            work = work + marginal.cumsum(-1).abs().sum(-1) * stride
        return work

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)
