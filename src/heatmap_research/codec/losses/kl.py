from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Kl:
    """Cross-entropy less the label's entropy: its least is 0, its gradient the same.

    RTMPose's variant is this loss with beta=10, which multiplies scores before any softmax, and
    with target=softened, which draws its labels.
    """

    activation: ClassVar[Activation] = "softmax"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        wanted = heatmaps.normalise(label.heatmap).flatten(2)
        found = scores.flatten(2).log_softmax(-1)
        return (torch.xlogy(wanted, wanted) - wanted * found).sum(-1)

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)
