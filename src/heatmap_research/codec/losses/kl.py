from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Kl:
    """KL divergence in nats: the cross-entropy, with its gradient, less the label's entropy.

    RTMPose trains by this loss with beta=10, which multiplies scores before the softmax, and
    target=softened.
    """

    activation: ClassVar[Activation] = "softmax"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        wanted = heatmaps.normalise(label.heatmap).flatten(2)
        log_predicted = scores.flatten(2).log_softmax(-1)
        return (torch.xlogy(wanted, wanted) - wanted * log_predicted).sum(-1)

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)
