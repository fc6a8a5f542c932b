from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class AdaptiveWing:
    """Grows logarithmically up to an error of theta, then linearly (Wang et al., 2019).

    The sum over bins is divided by the label's energy, as that of the squared error is.
    """

    alpha: float  # exponent of a small error where the label is 0; one less where it is 1
    omega: float  # factor of the logarithm
    epsilon: float  # error at which the logarithm bends, as a share of a label's peak
    theta: float  # error from which the loss is linear, as a share of a label's peak
    activation: ClassVar[Activation] = "identity"

    def __post_init__(self) -> None:
        if self.alpha <= 2:
            raise ValueError(f"loss.alpha={self.alpha:g}: the exponent is above 2.")
        for name in ("omega", "epsilon", "theta"):
            if getattr(self, name) <= 0:
                raise ValueError(f"loss.{name}={getattr(self, name):g}: give a number above 0.")

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        power = self.alpha - label.heatmap
        error = (scores - label.heatmap).abs()
        near = self._curve(error.clamp(max=self.theta), power)  # unclamped, the power may overflow
        slope = self._slope(power)
        far = slope * (error - self.theta).clamp(min=0)
        return (near + far).flatten(2).sum(-1) / label.energy

    def least(self, label: Label) -> PerJoint:
        return torch.zeros_like(label.visible)

    def _curve(self, error: Heatmap, power: Heatmap) -> Heatmap:
        return self.omega * torch.log1p((error / self.epsilon) ** power)

    def _slope(self, power: Heatmap) -> Heatmap:
        """Returns the slope of the curve at theta, where the linear part begins."""
        ratio = self.theta / self.epsilon
        raised = ratio**power
        return self.omega * power * raised / ratio / self.epsilon / (1 + raised)
