import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Position

MIN_EXCESS = 1e-9  # of C / n over 1: a flatter map has no peak above its background


@dataclass(frozen=True)
class DebiasedSoftArgmax:
    """Takes the mean position, corrected for the pull of an empty background (Gu et al., 2021).

    However empty it is, each of the n bins adds 1 to the sum C of exponentials. Without these
    ones the mean is (C mean - n middle) / (C - n). C is close to n, hence double precision.
    """

    needs: ClassVar[Activation] = "identity"
    beta: float  # multiplies the map before the softmax

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise ValueError(
                f"decoder.debiased_soft_argmax.beta={self.beta:g}: give a number above 0."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        logits = self.beta * heatmap.double()
        mean = heatmaps.expectation(heatmaps.activate(logits, "softmax"))
        shape = heatmap.shape[2:]
        bins = heatmaps.constant(
            [math.prod(shape)], logits
        )  # a graph would hold its log in float32
        above = logits.flatten(2).logsumexp(-1) - bins.log()  # log (C / n)
        excess = above.clamp(max=500).expm1()[..., None]  # C / n - 1
        last = heatmaps.constant([size - 1 for size in shape], mean)
        position = mean + (mean - last / 2) / excess.clamp(min=MIN_EXCESS)
        position = position.clamp(min=-0.5).minimum(last + 0.5)
        return torch.where(excess > MIN_EXCESS, position, mean).to(heatmap.dtype)
