from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.types import Activation, Keypoints, PerJoint


@dataclass(frozen=True)
class L1:
    """Adds the error along x and the error along y, both in crop pixels."""

    activation: ClassVar[Activation] = "coordinates"
    spread: ClassVar[bool] = False

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint:
        return (predicted - wanted).abs().sum(-1)
