from dataclasses import dataclass

from heatmap_research.codec import gaussians
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class Gaussian:
    """Draws a Gaussian with peak 1 at the exact position, which is never rounded to a bin."""

    sigma: float  # input pixels, so that a label stays as wide when the resolution changes

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise ValueError(f"sigma={self.sigma:g}: a label's width in input pixels is above 0.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        return gaussians.gaussian(position, tuple(self.sigma / s for s in stride), shape)
