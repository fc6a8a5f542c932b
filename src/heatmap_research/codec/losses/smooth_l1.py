from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.types import Activation, Keypoints, PerJoint


@dataclass(frozen=True)
class SmoothL1:
    """Adds errors along x and y in crop pixels, less beta / 2 each; below beta each is a square,
    so that there is no kink at 0.
    """

    beta: float  # crop pixels
    activation: ClassVar[Activation] = "coordinates"
    spread: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise ValueError(f"loss.beta={self.beta:g}: a length in input pixels is above 0.")

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint:
        straight = (predicted - wanted).abs()
        bent = straight.square() / (2 * self.beta)
        return torch.where(straight < self.beta, bent, straight - self.beta / 2).sum(-1)
