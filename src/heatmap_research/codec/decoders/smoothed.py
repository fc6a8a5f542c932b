from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from heatmap_research.codec import heatmaps
from heatmap_research.codec.decoders._published import check_kernel
from heatmap_research.types import Activation, Heatmap, Position


@runtime_checkable
class Wrapped(Protocol):
    @property
    def needs(self) -> Activation | None: ...
    def __call__(self, heatmap: Heatmap, stride: float) -> Position: ...


@dataclass(frozen=True)
class Smoothed:
    """Any decoder, after a Gaussian blur that takes noise out of the map but widens its peak."""

    decoder: Wrapped
    sigma: float  # input pixels
    least: float  # bins: the blur is never narrower, or it would do nothing
    size: int | None  # bins: OpenCV's kernel of this size instead, whatever sigma

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise ValueError(f"sigma={self.sigma:g}: a blur's width in input pixels is above 0.")
        if self.size is not None:
            check_kernel("size", self.size)

    @property
    def needs(self) -> Activation | None:
        return self.decoder.needs

    def __call__(self, heatmap: Heatmap, stride: float) -> Position:
        if self.size is not None:
            return self.decoder(heatmaps.modulated(heatmap, self.size), stride)
        width = max(self.sigma / stride, self.least)
        return self.decoder(heatmaps.blur(heatmap, width), stride)
