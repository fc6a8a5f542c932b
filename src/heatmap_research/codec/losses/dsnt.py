from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec.losses.expectation import beyond, offset
from heatmap_research.codec.losses.js import Js
from heatmap_research.types import Activation, Heatmap, Label, PerJoint


@dataclass(frozen=True)
class Dsnt:
    """Adds the distance of the map's mean in input pixels to the Jensen-Shannon divergence of the
    map (Nibali et al., 2018). Each 1-D map has a distance of its own, so those along y and x
    are summed, not combined to a length.
    """

    weight: float  # input pixels per nat of Jensen-Shannon divergence
    activation: ClassVar[Activation] = "softmax"

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"loss.weight={self.weight:g}: give 0 or more.")

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        distance = torch.linalg.vector_norm(offset(scores, label), dim=-1)  # its gradient is 0 at 0
        return distance + self.weight * Js()(scores, label)

    def least(self, label: Label) -> PerJoint:
        """A lower bound: the least distance, as if the divergence could be 0 at the same time."""
        return torch.linalg.vector_norm(beyond(label), dim=-1)
