"""Pure functions on one map, of any number of spatial axes: (batch, joint, *shape)."""

from collections.abc import Sequence
from typing import Literal

import torch

from heatmap_research.codec.sharing import once
from heatmap_research.types import Activation, Heatmap, PerJoint, Position, Tensor

Rounding = Literal["nearest", "even", "hrnet", "truncate"]


def activate(scores: Heatmap, activation: Activation) -> Heatmap:
    """Turns raw scores into a map, as the loss that trained them demands."""
    if activation == "identity":
        return scores
    if activation == "sigmoid":
        return scores.sigmoid()
    return scores.flatten(2).softmax(-1).view_as(scores)


@once
def normalise(heatmap: Heatmap) -> Heatmap:
    """Cuts off negative values and scales the rest to sum to one."""
    positive = heatmap.clamp(min=0)
    total = positive.flatten(2).sum(-1).clamp(min=torch.finfo(heatmap.dtype).tiny)
    return positive / over(heatmap, total)


def over(heatmap: Heatmap, value: PerJoint) -> Tensor:
    """Reshapes one value per joint so that it broadcasts over the bins of that joint's map."""
    return value.view(*value.shape, *[1] * (heatmap.ndim - 2))


def distances(position: Position, shape: tuple[int, ...]) -> list[Tensor]:
    """Returns each bin's number less the position, for each axis: (B, K, size)."""
    axes = zip(position.unbind(-1), shape, strict=True)
    return [bins(size, position) - place[..., None] for place, size in axes]


def rounded(position: Position, rule: Rounding) -> Position:
    """Rounds to whole bins: halves up, halves to even, int(x + 1/2) as in HRNet, or int(x)."""
    if rule == "nearest":
        return (position + 0.5).floor()
    if rule == "even":
        return position.round()
    return (position + 0.5 if rule == "hrnet" else position).trunc()


@once
def argmax(heatmap: Heatmap) -> Position:
    """Returns the highest bin, and the first of them if several are equal."""
    flat = _highest(heatmap.flatten(2))
    return torch.stack(torch.unravel_index(flat, heatmap.shape[2:]), dim=-1).to(heatmap.dtype)


def _highest(bins: Tensor) -> Tensor:
    """Searches by NumPy on a CPU: torch looks at one number after the other, NumPy at many."""
    fast = bins.device.type == "cpu" and bins.dtype in (torch.float32, torch.float64)
    if fast and not torch.compiler.is_compiling():
        return torch.from_numpy(bins.detach().numpy().argmax(-1))
    return bins.max(-1).indices


def expectation(probability: Heatmap) -> Position:
    """Returns the mean bin along each axis of a map that sums to one."""
    means = []
    for marginal in marginals(probability):
        half = (marginal.shape[-1] - 1) / 2  # bins counted from the middle keep float32's digits
        means.append(marginal @ (bins(marginal.shape[-1], marginal) - half) + half)
    return torch.stack(means, dim=-1)


def marginals(heatmap: Heatmap) -> list[Tensor]:
    """Sums a map over all axes but one, for each axis: (B, K, size)."""
    axes = range(2, heatmap.ndim)
    others = [[other for other in axes if other != axis] for axis in axes]
    return [heatmap.sum(rest) if rest else heatmap for rest in others]


@once
def neighbourhood(heatmap: Heatmap, centre: Position, radius: int = 1) -> tuple[Heatmap, Tensor]:
    """The bins within `radius` of a centre, 0 beyond the map, and which of them lie in it."""
    shape = heatmap.shape[2:]
    offsets = torch.arange(-radius, radius + 1, device=heatmap.device)
    flat = torch.zeros((), dtype=torch.long, device=heatmap.device)
    inside = torch.ones((), dtype=torch.bool, device=heatmap.device)
    for axis, size in enumerate(shape):
        along = [1] * axis + [2 * radius + 1] + [1] * (len(shape) - axis - 1)
        index = (centre[..., axis].long()[..., None] + offsets).view(*centre.shape[:2], *along)
        inside = inside & ((index >= 0) & (index < size))
        flat = flat * size + index.clamp(0, size - 1)
    values = heatmap.flatten(2).gather(-1, flat.flatten(2)).view(flat.shape)
    return torch.where(inside, values, 0), inside


def middle(near: Heatmap) -> PerJoint:
    """Returns the value of the centre bin of a neighbourhood."""
    bins = near.flatten(2)
    return bins[..., bins.shape[-1] // 2]


@once
def interior(centre: Position, shape: tuple[int, ...]) -> Position:
    """1 along the axes where a bin has a neighbour on both sides, else 0."""
    axes = zip(centre.unbind(-1), shape, strict=True)
    free = [(bins > 0) & (bins < size - 1) for bins, size in axes]
    return torch.stack(free, dim=-1).to(centre.dtype)


def constant(values: Sequence[float], like: Tensor) -> Tensor:
    """Fills a tensor on the device of `like`: a copy from the host would make it wait."""
    filled = [like.new_full((1,), value) for value in values]
    return filled[0] if len(filled) == 1 else torch.cat(filled)


def bins(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, dtype=like.dtype, device=like.device)
