from dataclasses import dataclass

from heatmap_research.codec import blurring
from heatmap_research.codec.crest import locate_in_blur
from heatmap_research.codec.decoders._published import check_kernel
from heatmap_research.codec.protocols import Decoder
from heatmap_research.types import Activation, Heatmap, Position


@dataclass(frozen=True)
class Smoothed:
    """Blurs the map before another decoder reads it: noise shrinks, but the peak widens."""

    decoder: Decoder
    sigma: float  # input pixels
    least: float  # bins; the sigma is never less, since the blur would then do nothing
    size: int | None  # bins; takes OpenCV's kernel of this size, whatever the sigma

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
            return self.decoder(blurring.modulated(heatmap, self.size), stride)
        width = max(self.sigma / stride, self.least)
        if getattr(self.decoder, "local", False):
            return locate_in_blur(heatmap, width, lambda rows: self.decoder(rows, stride))
        return self.decoder(blurring.blur(heatmap, width), stride)
