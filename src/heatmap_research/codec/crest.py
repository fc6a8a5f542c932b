"""Blurs of a map only what may hold the top of the blurred map, and all of it where that is unsure.

Rows are what the first axis counts: lines of a 2-D map, bins of a vector.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch

from heatmap_research.codec import blurring, heatmaps
from heatmap_research.codec.sharing import once
from heatmap_research.types import Heatmap, PerJoint, Position, Tensor

BLOCKS = 5  # of rows that are blurred
SHORT = 24  # bins that torch pools faster than it reduces them
SAFETY = 1.001  # by which a top is above what can be elsewhere: far more than rounding


class Plan(NamedTuple):
    """Rows are read and blurred in blocks; as many more are read on either side as a blur needs."""

    block: int  # rows
    made: int  # blocks that are blurred
    wide: int  # blocks more on either side
    taps: Tensor  # (rows read, rows blurred)
    bounds: Tensor  # (blocks, blocks), the most that a block can weigh in a bin of another


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
        return locate(blurring.blur(heatmap, sigma))
    along, *across = locate(crest.rows).unbind(-1)
    position = torch.stack([along + crest.first, *across], dim=-1)
    if len(crest.whole):
        position[crest.missed] = locate(crest.whole)[:, 0]
    return position


@once
def _crest(heatmap: Heatmap, sigma: float) -> Crest | None:
    """None where maps are too small, or most of them too flat, for this to be less work.

    A bin of a blurred row is at most the blur, along rows, of the highest bins of all rows; here,
    of blocks of rows that are each as high as their highest bin.
    """
    size = heatmap.shape[2]
    if (plan := _plan(sigma, size, heatmap.dtype)) is None:
        return None
    lines = heatmap.unflatten(2, (-1, plan.block)).flatten(3)  # (B, K, blocks, bins)
    bounds = _highest(lines) @ plan.bounds
    begin = heatmaps.argmax(bounds).long() - plan.made // 2
    begin = begin.clamp(0, lines.shape[2] - plan.made)  # (B, K, 1)
    read = _read(lines, begin + torch.arange(-plan.wide, plan.made + plan.wide))
    read = read.unflatten(-1, (plan.block, *heatmap.shape[3:])).flatten(2, 3)
    rows = blurring.multiplied(read, plan.taps, axis=2)
    for axis in range(3, heatmap.ndim):
        rows = blurring.along(axis, rows, blurring.bell(sigma, heatmap))
    top, place = rows.detach().flatten(2).amax(-1), heatmaps.argmax(rows)[..., 0]
    elsewhere = bounds.scatter(-1, begin + torch.arange(plan.made), 0).amax(-1)
    first, last = begin[..., 0] * plan.block, rows.shape[2] - 1
    inner = ((place > 0) | (first == 0)) & ((place < last) | (first + last == size - 1))
    missed = (inner & (SAFETY * elsewhere < top)).logical_not()
    number = int(missed.sum())
    if 2 * number > missed.numel():
        return None
    others = heatmap[missed][:, None]
    return Crest(rows, first, missed, blurring.blur(others, sigma) if number else others)


@cache
def _plan(sigma: float, size: int, dtype: torch.dtype) -> Plan | None:
    with torch.inference_mode(False), torch.no_grad():  # or training could not use them
        kernel = blurring.bell(sigma, torch.zeros((), dtype=dtype))
        reach = kernel.numel() // 2
        usual = 1 << max(1, 2 * reach // 5).bit_length() - 1
        block = math.gcd(size, usual)
        made, wide = BLOCKS * usual // block, -(-reach // block)
        if made + 2 * wide >= size // block:
            return None
        taps = blurring.band(kernel, (made + 2 * wide) * block)[:, wide * block :]
        about = taps[: (2 * wide + 1) * block, :block].unflatten(0, (-1, block))
        most = about.sum(1).amax(-1)  # of the blocks about one, in the bin where each weighs most
        bounds = blurring.band(most, size // block)
        return Plan(block, made, wide, taps[:, : made * block].contiguous(), bounds)


def _highest(lines: Tensor) -> Tensor:
    """The highest bin of each block, 0 if all are below: (B, K, blocks)."""
    lines, bins = lines.detach(), lines.shape[-1]
    if bins > SHORT:
        return lines.amax(-1).clamp(min=0)
    return torch.nn.functional.max_pool1d(lines.flatten(2), bins).clamp(min=0)


def _read(lines: Tensor, near: Tensor) -> Tensor:
    """These blocks of each map, 0 beyond it: (B, K, near, bins)."""
    blocks, maps = lines.shape[2], near[..., 0].numel()
    held = (near >= 0) & (near < blocks)
    flat = near.clamp(0, blocks - 1) + blocks * torch.arange(maps).view(*near.shape[:2], 1)
    read = lines.flatten(0, 2).index_select(0, flat.flatten()).view(*near.shape, -1)
    return read.mul_(held[..., None])  # many times as fast as to fill in zeros
