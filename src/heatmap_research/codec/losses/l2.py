from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.types import Activation, Keypoints, PerJoint


@dataclass(frozen=True)
class L2:
    """The distance squared, in square pixels."""

    activation: ClassVar[Activation] = "coordinates"
    spread: ClassVar[bool] = False

    def __call__(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint:
        return (predicted - wanted).square().sum(-1)
