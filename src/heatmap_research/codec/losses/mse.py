from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Mse:
    """Squared error, divided by the label's energy: 1 for an empty map, at any resolution."""

    activation: ClassVar[Activation] = "identity"

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        return (scores - label.heatmap).square().flatten(2).sum(-1) / label.energy

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)
