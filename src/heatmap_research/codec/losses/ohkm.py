from dataclasses import dataclass

import torch

from heatmap_research.codec.protocols import Loss
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Ohkm:
    """Keeps another loss only for each person's worst joints, picked in each 1-D map by itself.

    What is kept is scaled so that its mean over all learnt joints is the mean over picked ones.
    """

    loss: Loss
    hardest: int  # joints of each person

    def __post_init__(self) -> None:
        if self.hardest < 1:
            raise ValueError(f"loss.hardest={self.hardest}: pick at least one joint of a person.")

    @property
    def activation(self) -> Activation:
        return self.loss.activation

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        return self._pick(self.loss(scores, label), label.visible)

    def least(self, label: Label) -> PerJoint:
        """Picks the worst joints among what the other loss cannot avoid."""
        return self._pick(self.loss.least(label), label.visible)

    def _pick(self, losses: PerJoint, visible: PerJoint) -> PerJoint:
        known = torch.where(visible > 0, losses, -torch.inf).detach()
        worst = known.topk(min(self.hardest, known.shape[1]), dim=1).indices
        picked = torch.zeros_like(visible).scatter(1, worst, 1.0) * visible
        count = picked.sum().clamp(min=torch.finfo(picked.dtype).tiny)
        return torch.where(picked > 0, losses, 0) * (visible.sum() / count)
