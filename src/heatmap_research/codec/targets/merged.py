from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float

from heatmap_research.codec import heatmaps
from heatmap_research.codec.protocols import Target
from heatmap_research.types import Heatmap, Strides, Tensor


@dataclass(frozen=True)
class Merged:
    """Draws all people of an image into one map per joint; the position of an absent one is nan.

    Positions that have no axis of people are drawn by the target alone.
    """

    draws_others: ClassVar[bool] = True  # asks the codec for the second figure's joints
    target: Target
    rule: Literal["maximum", "sum"]  # how people combine; a sum is scaled to a maximum of 1

    def __post_init__(self) -> None:
        if self.rule not in ("maximum", "sum"):
            raise ValueError(f"target.rule={self.rule}: choose maximum or sum.")

    def __call__(
        self,
        position: Float[Tensor, "batch *person joint axis"],
        shape: tuple[int, ...],
        stride: Strides,
    ) -> Heatmap:
        if position.ndim == 3:
            return self.target(position, shape, stride)
        everyone = position.flatten(0, 1)
        drawn = self.target(everyone.nan_to_num(), shape, stride)
        absent = everyone.isnan().any(-1).to(drawn.dtype)
        drawn = torch.where(heatmaps.over(drawn, absent) > 0, 0, drawn)
        people = drawn.unflatten(0, position.shape[:2])  # (B, person, K, *shape)
        return people.amax(1) if self.rule == "maximum" else _peak_one(people.sum(1))


def _peak_one(heatmap: Heatmap) -> Heatmap:
    top = heatmap.flatten(2).amax(-1)
    return heatmap / heatmaps.over(heatmap, torch.where(top > 0, top, 1))
