import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Activation, Heatmap, Position

LEAST = 1e-9  # a flatter map than this has no peak to be told from its background


@dataclass(frozen=True)
class DebiasedSoftArgmax:
    """Soft-argmax less the pull of the empty background to the middle (Gu et al., 2021).

    Every bin of a map of n bins adds 1 to the sum C of exponentials however empty it is; taking
    those out leaves (C mean - n middle) / (C - n). In double precision: C is close to n.
    """

    needs: ClassVar[Activation] = "identity"
    beta: float  # maps are multiplied by it before the softmax

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise ValueError(
                f"decoder.debiased_soft_argmax.beta={self.beta:g}: give a number above 0."
            )

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        logits = self.beta * heatmap.double()
        mean = heatmaps.expectation(heatmaps.activate(logits, "softmax"))
        shape = heatmap.shape[2:]
        above = logits.flatten(2).logsumexp(-1) - math.log(math.prod(shape))  # log (C / n)
        rest = above.clamp(max=500).expm1()[..., None]  # C / n - 1
        last = heatmaps.constant([size - 1 for size in shape], mean)
        found = mean + (mean - last / 2) / rest.clamp(min=LEAST)
        found = found.clamp(min=-0.5).minimum(last + 0.5)
        return torch.where(rest > LEAST, found, mean).to(heatmap.dtype)
