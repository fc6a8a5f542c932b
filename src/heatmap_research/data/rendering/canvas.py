"""Paints on batches of images, and averages what is painted into pixels.

Every step is one correctly rounded operation per pixel (no matrix product, no fused multiply-add),
so that a pixel never depends on the batch around it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Point = Float[Tensor, "batch 2"]  # x, y in pixels
Colour = Float[Tensor, "batch channel"]
Images = Float[Tensor, "batch channel height width"]


@dataclass(eq=False)
class Canvas:
    image: Images  # painted in place
    edge: float  # half width of the soft edge of a shape, pixels

    def __post_init__(self) -> None:
        self.scratch = [torch.empty_like(self.image[:, 0]) for _ in range(2)]
        self.layer = torch.empty_like(self.image)

    def capsule(self, start: Point, end: Point, radius: float, colour: Colour) -> None:
        along, across = self.scratch
        height, width = self.image.shape[-2:]
        length, x_unit, y_unit = _direction(start, end)
        x = torch.arange(width, device=start.device) - start[:, 0, None, None]  # (B, 1, W)
        y = torch.arange(height, device=start.device)[:, None] - start[:, 1, None, None]
        torch.add(x * x_unit, y * y_unit, out=along)
        torch.sub(x * y_unit, y * x_unit, out=across)
        beyond = torch.clamp(along, along.new_zeros(()), length, out=self.layer[:, 0])
        along.sub_(beyond)
        distance = along.mul_(along).add_(across.mul_(across)).sqrt_()
        cover = self._cover(distance, radius, scratch=across)
        torch.sub(colour[..., None, None], self.image, out=self.layer)
        self.image.add_(self.layer.mul_(cover[:, None]))

    def disc(self, centre: Point, radius: float, colour: Colour, opacity: float = 1.0) -> None:
        """Computes only a window around the disc, for speed."""
        x, y = self._window(centre, radius + self.edge)  # (B, P)
        apart_x, apart_y = x - centre[:, :1], y - centre[:, 1:]
        square = (apart_x * apart_x)[:, None] + (apart_y * apart_y)[:, :, None]  # (B, P, P)
        cover = self._cover(square.sqrt_(), radius, torch.empty_like(square)).mul_(opacity)
        pixel = y.long()[:, :, None] * self.image.shape[-1] + x.long()[:, None]
        pixel = pixel.flatten(1)[:, None].expand(-1, self.image.shape[1], -1)
        image = self.image.view(*self.image.shape[:2], -1)
        below = image.gather(2, pixel)
        above = (colour[..., None] - below).mul_(cover.flatten(1)[:, None]).add_(below)
        image.scatter_(2, pixel, above)

    def _window(self, centre: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        """Columns and rows that a shape can touch. At a border the window moves inwards whole."""
        height, width = self.image.shape[-2:]
        size = min(math.floor(2 * reach) + 1, height, width)
        corner = (centre - reach).ceil()
        steps = torch.arange(size, device=centre.device)
        x, y = corner[:, :1].clamp(0, width - size), corner[:, 1:].clamp(0, height - size)
        return x + steps, y + steps

    def _cover(self, distance: Tensor, radius: float, scratch: Tensor) -> Tensor:
        """The share of each pixel that is covered, computed in place of the distance.

        With a cubic edge, the centroid of a disc is exact to 0.01 pixels.
        """
        slope = 0.5 / self.edge
        ramp = distance.mul_(-slope).add_((radius + self.edge) * slope).clamp_(0, 1)
        square = torch.mul(ramp, ramp, out=scratch)
        return ramp.mul_(-2).add_(3).mul_(square)


def _direction(start: Tensor, end: Tensor) -> Iterator[Tensor]:
    """The length of a line, and the x and y of its unit vector."""
    x, y = (end - start).double().unbind(-1)
    length = (x * x + y * y).sqrt()
    return (v.float()[:, None, None] for v in (length, x / length, y / length))


def stretch(
    lattice: Float[Tensor, "batch channel rows columns"], height: int, width: int
) -> Float[Tensor, "batch channel {height} {width}"]:
    """Interpolates linearly; the outermost lattice points lie on the outermost pixels."""
    return _stretch(_stretch(lattice, width, dim=3), height, dim=2)  # whole rows last: faster


def _stretch(lattice: Tensor, size: int, dim: int) -> Tensor:
    intervals = lattice.shape[dim] - 1
    numerator = torch.arange(size, device=lattice.device) * intervals
    left = (numerator // (size - 1)).clamp(max=intervals - 1)
    part = (numerator - left * (size - 1)).float() / (size - 1)
    part = part.view(-1, *[1] * (lattice.ndim - 1 - dim))
    start = lattice.index_select(dim, left)
    return lattice.index_select(dim, left + 1).sub_(start).mul_(part).add_(start)


def blur(image: Images, sigma: float) -> Images:
    """Gaussian blur that reaches at least three sigma; the border is repeated outwards."""
    reach = math.ceil(3 * sigma)
    taps = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(reach + 1)]
    total = 2 * sum(taps) - taps[0]
    padded = functional.pad(image, (reach,) * 4, mode="replicate")
    for dim in (2, 3):
        padded = _convolve(padded, [tap / total for tap in taps], dim)
    return padded


def _convolve(image: Tensor, taps: list[float], dim: int) -> Tensor:
    reach = len(taps) - 1
    size = image.shape[dim] - 2 * reach
    total = image.narrow(dim, reach, size) * taps[0]
    pair = torch.empty_like(total)
    for offset, tap in enumerate(taps[1:], start=1):
        before, after = (image.narrow(dim, reach + step, size) for step in (-offset, offset))
        total.add_(torch.add(before, after, out=pair).mul_(tap))
    return total


def area_average(image: Images, factor: int) -> Float[Tensor, "batch channel rows columns"]:
    rows = reduce(torch.add, (image[:, :, offset::factor] for offset in range(factor)))
    cells = reduce(torch.add, (rows[..., offset::factor] for offset in range(factor)))
    return cells / factor**2
