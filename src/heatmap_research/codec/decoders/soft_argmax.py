from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Position


@dataclass(frozen=True)
class SoftArgmax:
    """Takes the mean position under a map that is a distribution."""

    needs: ClassVar[Activation] = "softmax"
    temperature: float  # below 1 sharpens the map first; above 1 flattens it

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ValueError(
                f"decoder.soft_argmax.temperature={self.temperature:g}: give a number above 0."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        if self.temperature == 1:
            return heatmaps.expectation(heatmap)
        logits = heatmap.clamp(min=torch.finfo(heatmap.dtype).tiny).log() / self.temperature
        return heatmaps.expectation(heatmaps.activate(logits, "softmax"))
