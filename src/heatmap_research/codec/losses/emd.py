from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Emd:
    """How far mass has to be moved, in input pixels: along each axis by itself, then summed.

    In 2-D it compares marginals only, so it cannot tell two people's joints from their ghosts.
    """

    activation: ClassVar[Activation] = "softmax"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        excess = heatmaps.activate(scores, "softmax") - heatmaps.normalise(label.heatmap)
        axes = range(2, excess.ndim)
        work = torch.zeros_like(label.visible)
        for axis, stride in zip(axes, label.stride, strict=True):
            others = [other for other in axes if other != axis]
            marginal = excess.sum(others) if others else excess  # (B, K, size)
            work = work + marginal.cumsum(-1).abs().sum(-1) * stride
        return work

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)
