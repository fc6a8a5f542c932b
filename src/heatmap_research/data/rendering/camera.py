"""Blurs a painted scene and averages it into pixels. Its arithmetic is as in `canvas`."""

import math
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Images = Float[Tensor, "batch channel height width"]


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
