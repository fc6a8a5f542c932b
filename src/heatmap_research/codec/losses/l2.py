from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.types import Activation, Keypoints, PerJoint


@dataclass(frozen=True)
class L2:
    """Squares the distance in crop pixels."""

    activation: ClassVar[Activation] = "coordinates"
    spread: ClassVar[bool] = False

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint:
        return (predicted - wanted).square().sum(-1)
