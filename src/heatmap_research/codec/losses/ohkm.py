from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@runtime_checkable
class Wrapped(Protocol):
    @property
    def activation(self) -> Activation: ...
    def __call__(self, scores: Heatmap, label: Label) -> PerJoint: ...
    def least(self, label: Label) -> PerJoint: ...


@dataclass(frozen=True)
class Ohkm:
    """Any loss of maps, of each person's worst joints only; vectors pick theirs axis by axis.

    Scaled so that the mean over learnt joints is the mean over picked ones, however few there are.
    """

    loss: Wrapped
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
        """The worst of what cannot be helped: no scores bring their worst joints below it."""
        return self._pick(self.loss.least(label), label.visible)

    def _pick(self, losses: PerJoint, visible: PerJoint) -> PerJoint:
        known = torch.where(visible > 0, losses, -torch.inf).detach()
        worst = known.topk(min(self.hardest, known.shape[1]), dim=1).indices
        picked = torch.zeros_like(visible).scatter(1, worst, 1.0) * visible
        count = picked.sum().clamp(min=torch.finfo(picked.dtype).tiny)
        return torch.where(picked > 0, losses, 0) * (visible.sum() / count)
