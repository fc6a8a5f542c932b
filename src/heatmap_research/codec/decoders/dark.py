from dataclasses import dataclass
from typing import ClassVar

from heatmap_research.codec import taylor
from heatmap_research.types import Heatmap, Position


@dataclass(frozen=True)
class Dark:
    """Takes a second-order Taylor step on the log map (Zhang et al., 2020), without their blur.

    This is exact for a Gaussian of any width, also below one bin.
    """

    needs: ClassVar[None] = None
    local: ClassVar[bool] = True  # reads the highest bin and those beside it alone
    floor: float  # values are raised to this before the logarithm

    def __post_init__(self) -> None:
        if self.floor <= 0:
            raise ValueError(f"decoder.dark.floor={self.floor:g}: its logarithm needs it above 0.")

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        return taylor.parabola(heatmap, self.floor)[0]
