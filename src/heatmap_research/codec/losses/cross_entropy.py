from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy in nats: the KL divergence plus the label's entropy, which has no gradient."""

    activation: ClassVar[Activation] = "softmax"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        wanted = heatmaps.normalise(label.heatmap).flatten(2)
        return -(wanted * scores.flatten(2).log_softmax(-1)).sum(-1)

    def least(self, label: Label) -> PerJoint:
        """The least cross-entropy is the label's entropy."""
        wanted = heatmaps.normalise(label.heatmap).flatten(2)
        return torch.special.entr(wanted).sum(-1)
