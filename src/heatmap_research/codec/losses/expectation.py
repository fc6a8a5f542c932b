from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Label, PerJoint, Position

KINDS = ("l1", "l2", "smooth_l1")


@dataclass(frozen=True)
class Expectation:
    """Integral regression: compares the map's mean with the label's position, in input pixels.

    The label's map does not matter. Kinds are those of the coordinate losses of that name.
    """

    kind: str
    beta: float  # input pixels up to which smooth_l1 is a square
    activation: ClassVar[Activation] = "softmax"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"loss.kind={self.kind}: choose {', '.join(KINDS)}.")
        if self.beta <= 0:
            raise ValueError(f"loss.beta={self.beta:g}: a length in input pixels is above 0.")

    def __call__(self, scores: Heatmap, label: Label) -> PerJoint:
        return self._cost(offset(scores, label))

    def least(self, label: Label) -> PerJoint:
        return self._cost(beyond(label))

    def _cost(self, pixels: Position) -> PerJoint:
        if self.kind == "l2":
            return pixels.square().sum(-1)
        straight = pixels.abs()
        if self.kind == "l1":
            return straight.sum(-1)
        bent = straight.square() / (2 * self.beta)
        return torch.where(straight < self.beta, bent, straight - self.beta / 2).sum(-1)


def offset(scores: Heatmap, label: Label) -> Position:
    """Returns the way from the label's position to the map's mean, in input pixels."""
    mean = heatmaps.expectation(heatmaps.activate(scores, "softmax"))
    return (mean - label.position) * heatmaps.constant(label.stride, mean)


def beyond(label: Label) -> Position:
    """Returns the part of the offset that every map has: a mean lies between the outer bins."""
    shape = label.heatmap.shape[2:]
    last = heatmaps.constant([size - 1 for size in shape], label.position)
    nearest = torch.minimum(label.position.clamp(min=0), last)
    return (nearest - label.position) * heatmaps.constant(label.stride, last)
