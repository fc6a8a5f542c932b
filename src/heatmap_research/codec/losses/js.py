import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Js:
    """Jensen-Shannon divergence in nats: ln 2 where map and label do not overlap."""

    activation: ClassVar[Activation] = "softmax"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        wanted = heatmaps.normalise(label.heatmap).flatten(2)
        log_wanted = wanted.clamp(min=torch.finfo(wanted.dtype).tiny).log()
        log_predicted = scores.flatten(2).log_softmax(-1)
        log_mean = torch.logaddexp(log_wanted, log_predicted) - math.log(2)
        missed = wanted * (log_wanted - log_mean)
        invented = log_predicted.exp() * (log_predicted - log_mean)
        return (missed + invented).sum(-1) / 2

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)
