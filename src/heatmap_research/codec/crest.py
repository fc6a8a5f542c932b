"""Blurs of a map only what may hold the top of the blurred map, and all of it where that is unsure.

Rows are what the first axis counts: lines of a 2-D map, bins of a vector.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.codec.sharing import once
from heatmap_research.types import Heatmap, PerJoint, Position, Tensor

BLOCKS = 5  # of rows that are blurred
SHORT = 24  # bins that torch pools faster than it reduces them
SAFETY = 1.001  # by which their top is above what can be elsewhere: far more than rounding


class Crest(NamedTuple):
    """The rows of a blurred map about its highest bin, and what they were not enough for."""

    rows: Heatmap
    first: PerJoint  # the map's row that they begin with
    missed: Tensor  # (batch, joint), true where the highest bin or its neighbours may be elsewhere
    whole: Heatmap  # (missed, 1, ...), the blurred maps of these


def locate_in_blur(
    heatmap: Heatmap, sigma: float, locate: Callable[[Heatmap], Position]
) -> Position:
    """What `locate` finds in the blurred map, if it reads the highest bin and those beside it."""
    crest = None
    if heatmap.device.type == "cpu" and not torch.compiler.is_compiling():
        crest = _crest(heatmap, sigma)
    if crest is None:
        return locate(heatmaps.blur(heatmap, sigma))
    along, *across = locate(crest.rows).unbind(-1)
    position = torch.stack([along + crest.first, *across], dim=-1)
    if len(crest.whole):
        position[crest.missed] = locate(crest.whole)[:, 0]
    return position


@once
def _crest(heatmap: Heatmap, sigma: float) -> Crest | None:
    """None where maps are too small, or most of them too flat, for this to be less work.

    A bin of a blurred row is at most the blur, along rows, of the highest bins of all rows. They
    are taken a block of rows at a time, each as high as its highest.
    """
    kernel, size = heatmaps.bell(sigma, heatmap), heatmap.shape[2]
    reach = kernel.numel() // 2
    usual = 1 << max(1, 2 * reach // 5).bit_length() - 1
    block = math.gcd(size, usual)
    blocks, count, wide = size // block, BLOCKS * usual // block, -(-reach // block)
    if count + 2 * wide >= blocks:
        return None
    lines = heatmap.unflatten(2, (blocks, block)).flatten(3)  # (B, K, blocks, bins)
    taps = heatmaps.band(kernel, (count + 2 * wide) * block)[:, wide * block :]
    bounds = heatmaps.convolve(_highest(lines), _most(taps, block, wide))
    begin = (heatmaps.argmax(bounds).long() - count // 2).clamp(0, blocks - count)  # (B, K, 1)
    near = begin + torch.arange(-wide, count + wide)
    read = _rows(lines, near).unflatten(-1, (block, *heatmap.shape[3:])).flatten(2, 3)
    rows = heatmaps.multiplied(read, taps[:, : count * block], axis=2)
    for axis in range(3, heatmap.ndim):
        rows = heatmaps.along(axis, rows, kernel)
    top, place = rows.detach().flatten(2).amax(-1), heatmaps.argmax(rows)[..., 0]
    elsewhere = bounds.scatter(-1, begin + torch.arange(count), 0).amax(-1)
    first = begin[..., 0] * block
    inner = (place > 0) | (first == 0)
    inner = inner & ((place < count * block - 1) | (first == size - count * block))
    missed = (inner & (SAFETY * elsewhere < top)).logical_not()
    number = int(missed.sum())
    if 2 * number > missed.numel():
        return None
    others = heatmap[missed][:, None]
    return Crest(rows, first, missed, heatmaps.blur(others, sigma) if number else others)


def _highest(lines: Tensor) -> Tensor:
    """The highest bin of each block, 0 if all are below: (B, K, blocks)."""
    lines, bins = lines.detach(), lines.shape[-1]
    if bins > SHORT:
        return lines.amax(-1).clamp(min=0)
    return torch.nn.functional.max_pool1d(lines.flatten(2), bins).clamp(min=0)


def _most(taps: Tensor, block: int, wide: int) -> Tensor:
    """What each block about a block's own weighs in the bin of it where it weighs most."""
    own = taps[: (2 * wide + 1) * block, :block]
    return own.unflatten(0, (-1, block)).sum(1).amax(-1)


def _rows(lines: Tensor, near: Tensor) -> Tensor:
    """These blocks of each map, 0 beyond it: (B, K, near, bins)."""
    blocks = lines.shape[2]
    maps = torch.arange(near[..., 0].numel()).view(*near.shape[:2], 1)
    held = (near >= 0) & (near < blocks)
    flat = near.clamp(0, blocks - 1) + blocks * maps
    read = lines.flatten(0, 2).index_select(0, flat.flatten()).view(*near.shape, -1)
    return read * held[..., None]  # five times as fast as to fill in zeros
