"""Where heatmap bins lie in the input crop. The only module that knows 2-D from 1-D."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch

from heatmap_research.geometry import Center, Geometry
from heatmap_research.types import Heatmaps, IncompatibleError, Keypoints, PerJoint, Position

CENTER = Center()


@dataclass(frozen=True)
class Grid:
    """One (height, width) map per joint if ndim is 2; a height and a width vector if it is 1."""

    image_size: tuple[int, int]  # height, width
    stride: float  # input pixels per bin
    ndim: Literal[1, 2]
    geometry: Geometry = CENTER

    def __post_init__(self) -> None:
        if not 0 < self.stride < math.inf:
            raise ValueError(f"stride={self.stride:g}: give the input pixels per bin, above 0.")
        for size in self.image_size:
            bins = size / self.stride
            if round(bins) < 1 or abs(bins - round(bins)) > 1e-6 * bins:
                raise IncompatibleError(
                    f"stride={_words(self.stride)} does not divide image_size="
                    f"[{self.image_size[0]},{self.image_size[1]}] ({size} pixels make {bins:.2f} "
                    f"bins): choose {_divisors(self.image_size)}, or another image_size."
                )

    @property
    def bins(self) -> tuple[int, int]:
        height, width = (round(size / self.stride) for size in self.image_size)
        return height, width

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Spatial shape of each map a head must predict."""
        return (self.bins,) if self.ndim == 2 else tuple((size,) for size in self.bins)

    def split(self, keypoints: Keypoints) -> tuple[Position, ...]:
        """Crop pixels to bins, one position per map."""
        bins = self.geometry.to_bins(keypoints.flip(-1), self.stride)  # y, x
        return bins.split(self.ndim, dim=-1)

    def join(self, positions: Sequence[Position]) -> Keypoints:
        """Inverse of split."""
        bins = torch.cat(list(positions), dim=-1)
        return self.geometry.to_pixels(bins, self.stride).flip(-1)

    def inside(self, keypoints: Keypoints) -> PerJoint:
        """1 where a keypoint lies in the crop, whose first pixel begins at -0.5."""
        height, width = self.image_size
        x, y = (keypoints + 0.5).unbind(-1)
        return ((x >= 0) & (x <= width) & (y >= 0) & (y <= height)).to(keypoints.dtype)

    def mirror(self, heatmaps: Heatmaps) -> Heatmaps:
        """Reflect left to right; width is the last axis of the last map in both layouts."""
        return (*heatmaps[:-1], heatmaps[-1].flip(-1))


def _words(stride: float) -> str:
    """2/3 rather than 0.6666666666666666."""
    return str(Fraction(stride).limit_denominator(1000))


def _divisors(image_size: tuple[int, int]) -> str:
    fits = [s for s in (8, 4, 2, 1) if all(size % s == 0 for size in image_size)]
    return ", ".join(map(str, fits)) + " or a fraction such as 1/2"
