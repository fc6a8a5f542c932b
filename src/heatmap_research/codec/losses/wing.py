import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.types import Activation, Keypoints, PerJoint


@dataclass(frozen=True)
class Wing:
    """Grows logarithmically up to `width`, then linearly (Feng et al., 2018)."""

    width: float  # input pixels
    curvature: float  # input pixels
    activation: ClassVar[Activation] = "coordinates"
    spread: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("width", "curvature"):
            if getattr(self, name) <= 0:
                raise ValueError(
                    f"loss.{name}={getattr(self, name):g}: a length in input pixels is above 0."
                )

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint:
        error = (predicted - wanted).abs()
        curve = self.width * torch.log1p(error / self.curvature)
        top = self.width * math.log1p(self.width / self.curvature)
        return torch.where(error < self.width, curve, error - self.width + top).sum(-1)
