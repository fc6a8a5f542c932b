from dataclasses import dataclass

from heatmap_research.codec import heatmaps
from heatmap_research.codec.protocols import Target
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class Softened:
    """Takes the softmax of a multiple of another target (RTMPose): a narrow peak on an even floor.

    The floor pulls an expectation to the middle of the map. Near its peak a Gaussian stays a
    Gaussian, but its width is divided by the square root of beta.
    """

    target: Target
    beta: float  # multiplies the target before the softmax

    def __post_init__(self) -> None:
        if self.beta <= 0:
            raise ValueError(f"target.beta={self.beta:g}: a multiple of the target is above 0.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        return heatmaps.activate(self.beta * self.target(position, shape, stride), "softmax")
