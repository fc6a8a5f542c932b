"""Where heatmap bins lie in the input crop. The only module that knows 2-D from 1-D."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import torch

from heatmap_research.codec.geometry import Geometry
from heatmap_research.codec.sharing import once
from heatmap_research.types import (
    Heatmap,
    Heatmaps,
    IncompatibleError,
    Keypoints,
    PerJoint,
    Position,
)

CENTER = Geometry(first=-0.5, last=-0.5, flip_shift=None)


@dataclass(frozen=True)
class Grid:
    """The maps of one joint: a (height, width) map if ndim is 2, a height and a width vector if 1.

    If ndim is 0 there are no maps: the head answers with coordinates.
    """

    image_size: tuple[int, int]  # height, width
    stride: float  # input pixels per bin
    ndim: Literal[0, 1, 2]
    geometry: Geometry = CENTER

    def __post_init__(self) -> None:
        if not 0 < self.stride < math.inf:
            raise ValueError(f"stride={self.stride:g}: give the input pixels per bin, above 0.")
        for size in self.image_size:
            bins = size / self.stride
            if round(bins) < 1 or abs(bins - round(bins)) > 1e-6 * bins:
                raise IncompatibleError(
                    f"stride={_fraction(self.stride)} does not divide image_size="
                    f"[{self.image_size[0]},{self.image_size[1]}] ({size} pixels make {bins:.2f} "
                    f"bins): choose {_divisors(self.image_size)}, or another image_size."
                )
            if self.ndim and round(bins) + self.geometry.last - self.geometry.first <= 0:
                raise IncompatibleError(
                    f"stride={_fraction(self.stride)} leaves one bin of image_size="
                    f"[{self.image_size[0]},{self.image_size[1]}], and this geometry measures from "
                    "the first bin to the last: choose a finer stride, or geometry=center."
                )

    @property
    def axes(self) -> tuple[tuple[int, ...], ...]:
        """The axes of the crop that each map of a joint has: 0 is y, 1 is x."""
        return ((), ((0,), (1,)), ((0, 1),))[self.ndim]

    @property
    def bins(self) -> tuple[int, int]:
        """The bins along y and along x."""
        height, width = (round(size / self.stride) for size in self.image_size)
        return height, width

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape, for one joint, of each tensor that a head must predict."""
        if self.ndim == 0:
            return ((2,),)
        return tuple(tuple(self.bins[axis] for axis in axes) for axes in self.axes)

    @property
    def lines(self) -> tuple[tuple[float, float], ...]:
        """The pixel that bin 0 sits on, and the pixels from bin to bin; along y, then along x."""
        sizes = zip(self.image_size, self.bins, strict=True)
        return tuple(self.geometry.line(size, bins) for size, bins in sizes)

    @property
    def strides(self) -> tuple[tuple[float, ...], ...]:
        """The pixels from one bin to the next along each axis of each map."""
        spacings = [spacing for _, spacing in self.lines]
        return tuple(tuple(spacings[axis] for axis in axes) for axes in self.axes)

    @once
    def split(self, keypoints: Keypoints) -> tuple[Position, ...]:
        """Converts crop pixels to bins, and returns one position for each map."""
        pixels, lines = keypoints.flip(-1), self.lines  # y, x
        if lines[0] == lines[1]:  # half as many small operations
            origin, spacing = lines[0]
            return ((pixels - origin) / spacing).split(self.ndim, dim=-1)
        axes = zip(pixels.unbind(-1), lines, strict=True)
        bins = [(along - origin) / spacing for along, (origin, spacing) in axes]
        return torch.stack(bins, dim=-1).split(self.ndim, dim=-1)

    def join(self, positions: Sequence[Position]) -> Keypoints:
        """Undoes `split`: converts the positions in all maps to crop pixels."""
        lines = zip(torch.cat(list(positions), dim=-1).unbind(-1), self.lines, strict=True)
        pixels = [bins * spacing + origin for bins, (origin, spacing) in lines]
        return torch.stack(pixels[::-1], dim=-1)

    def beyond(self, keypoints: Keypoints) -> tuple[PerJoint, ...]:
        """Returns, for each map, the pixels by which a keypoint lies outside it; 0 inside."""
        maps = zip(self.split(keypoints), self.shapes, self.strides, strict=True)
        return tuple(_beyond(position, shape, stride) for position, shape, stride in maps)

    def mirror(self, heatmaps: Heatmaps) -> Heatmaps:
        """Reflects left to right; width is the last axis of the last map in both layouts."""
        shift = self.geometry.shift(self.image_size[1], self.bins[1])
        return (*heatmaps[:-1], _shifted(heatmaps[-1].flip(-1), shift))


def _beyond(position: Position, shape: tuple[int, ...], stride: tuple[float, ...]) -> PerJoint:
    """Takes the axis along which a position is furthest out; outer bins end half a bin beyond."""
    axes = zip(position.unbind(-1), shape, stride, strict=True)
    pixels = [
        torch.maximum(-0.5 - bins, bins - (size - 0.5)).clamp(min=0) * spacing
        for bins, size, spacing in axes
    ]
    return pixels[0] if len(pixels) == 1 else torch.stack(pixels).amax(0)


def _shifted(heatmap: Heatmap, shift: float) -> Heatmap:
    """Moves a map by `shift` bins, linearly; where nothing moves in, the last bin is repeated."""
    if abs(shift) < 1e-9:
        return heatmap
    whole, size = math.floor(shift), heatmap.shape[-1]
    here, before = (
        heatmap[..., (torch.arange(size, device=heatmap.device) - steps).clamp(0, size - 1)]
        for steps in (whole, whole + 1)
    )
    return here if shift == whole else torch.lerp(here, before, shift - whole)


def _fraction(stride: float) -> str:
    """Writes 2/3 rather than 0.6666666666666666."""
    return str(Fraction(stride).limit_denominator(1000))


def _divisors(image_size: tuple[int, int]) -> str:
    fits = [s for s in (8, 4, 2, 1) if all(size % s == 0 for size in image_size)]
    return ", ".join(map(str, fits)) + " or a fraction such as 1/2"
