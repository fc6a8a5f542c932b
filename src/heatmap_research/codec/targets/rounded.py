from dataclasses import dataclass
from typing import get_args

from heatmap_research.codec import heatmaps
from heatmap_research.codec.heatmaps import Rounding
from heatmap_research.codec.protocols import Target
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class Rounded:
    """Draws another target at a whole bin.

    Rounding to the nearest moves a label by 0.3826 strides on average, which no decoder can undo.
    """

    target: Target
    rule: Rounding

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rounding):
            raise ValueError(f"target.rule={self.rule}: choose {', '.join(get_args(Rounding))}.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        return self.target(heatmaps.rounded(position, self.rule), shape, stride)
