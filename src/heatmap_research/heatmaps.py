"""Pure functions on one map, of any number of spatial axes: (batch, joint, *shape)."""

import torch

from heatmap_research.types import Activation, Heatmap, PerJoint, Position, Tensor


def activate(scores: Heatmap, activation: Activation) -> Heatmap:
    """Raw scores as the loss that trains them wants them read."""
    if activation == "identity":
        return scores
    if activation == "sigmoid":
        return scores.sigmoid()
    return scores.flatten(2).softmax(-1).view_as(scores)


def normalise(heatmap: Heatmap) -> Heatmap:
    """Negative values cut off, the rest scaled to sum to one."""
    positive = heatmap.clamp(min=0)
    total = positive.flatten(2).sum(-1).clamp(min=torch.finfo(heatmap.dtype).tiny)
    return positive / over(heatmap, total)


def over(heatmap: Heatmap, value: PerJoint) -> Tensor:
    """A value per joint, shaped so that it applies to every bin of that joint's map."""
    return value.view(*value.shape, *[1] * (heatmap.ndim - 2))


def gaussian(position: Position, sigma: float, shape: tuple[int, ...]) -> Heatmap:
    """Unnormalised Gaussian with peak 1, sigma in bins: the outer product of one profile an axis.

    Exponents stop at -40 an axis: exp is 10 to 30 times slower on a CPU where it underflows.
    """
    result = position.new_ones(())
    for axis, size in enumerate(shape):
        distance = (_bins(size, position) - position[..., axis, None]) / sigma
        profile = (-0.5 * distance.square()).clamp(min=-40).exp()  # (B, K, size)
        result = result[..., None] * profile.view(*profile.shape[:2], *[1] * axis, size)
    return result


def argmax(heatmap: Heatmap) -> Position:
    """The highest bin, the first of equals."""
    flat = heatmap.flatten(2).max(-1).indices
    return torch.stack(torch.unravel_index(flat, heatmap.shape[2:]), dim=-1).to(heatmap.dtype)


def expectation(probability: Heatmap) -> Position:
    """Mean bin under each marginal of a map that sums to one."""
    axes = range(2, probability.ndim)
    means = []
    for axis in axes:
        others = [other for other in axes if other != axis]
        marginal = probability.sum(others) if others else probability  # (B, K, size)
        half = (marginal.shape[-1] - 1) / 2  # bins about zero keep float32's digits
        means.append(marginal @ (_bins(marginal.shape[-1], marginal) - half) + half)
    return torch.stack(means, dim=-1)


def neighbourhood(heatmap: Heatmap, centre: Position, radius: int = 1) -> tuple[Heatmap, Tensor]:
    """The bins about a centre bin along every axis, zero beyond the map; and which lie in it."""
    shape = heatmap.shape[2:]
    offsets = torch.arange(-radius, radius + 1, device=heatmap.device)
    flat = torch.zeros((), dtype=torch.long, device=heatmap.device)
    inside = torch.ones((), dtype=torch.bool, device=heatmap.device)
    for axis, size in enumerate(shape):
        spread = [1] * axis + [-1] + [1] * (len(shape) - axis - 1)
        index = (centre[..., axis].long()[..., None] + offsets).view(*centre.shape[:2], *spread)
        inside = inside & (index >= 0) & (index < size)
        flat = flat * size + index.clamp(0, size - 1)
    values = heatmap.flatten(2).gather(-1, flat.flatten(2)).view(flat.shape)
    return torch.where(inside, values, 0), inside


def gradient(near: Heatmap) -> Position:
    """Central differences at the middle of a neighbourhood of radius 1."""
    lines = (_middle(near, axis) for axis in range(near.ndim - 2))
    return torch.stack([(line[..., 2] - line[..., 0]) / 2 for line in lines], dim=-1)


def hessian(near: Heatmap) -> Tensor:
    """Second differences at the middle of a neighbourhood of radius 1: (B, K, axis, axis)."""
    axes = range(near.ndim - 2)
    rows = [torch.stack([_second(near, a, b) for a in axes], dim=-1) for b in axes]
    return torch.stack(rows, dim=-2)


def uphill(gradient: Position, hessian: Tensor) -> Position:
    """Newton's step to the top of a paraboloid; zero where there is no top.

    Unrolled elimination instead of a solver: no synchronisation on a device, and exportable.
    """
    matrix, right = -hessian, gradient
    ndim = gradient.shape[-1]
    solid = torch.ones_like(gradient[..., 0], dtype=torch.bool)
    for pivot in range(ndim):
        diagonal = matrix[..., pivot, pivot]
        solid = solid & (diagonal > 0)
        ratio = matrix[..., pivot] / torch.where(diagonal > 0, diagonal, 1)[..., None]
        ratio = ratio * (torch.arange(ndim, device=ratio.device) != pivot)  # Gauss-Jordan
        right = right - ratio * right[..., pivot, None]
        matrix = matrix - ratio[..., None] * matrix[..., pivot, None, :]
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    step = right / torch.where(solid[..., None], diagonal, 1)
    return torch.where(solid[..., None], step, 0)


def parabola(heatmap: Heatmap, floor: float) -> tuple[Position, PerJoint]:
    """Top of the paraboloid through the log map about its highest bin, exact for a Gaussian.

    Returns where it is and how many times higher than that bin. There is no step along an axis
    whose neighbours are not all in the map, nor one beyond them.
    """
    centre = argmax(heatmap)
    near, _ = neighbourhood(heatmap, centre)
    log = near.clamp(min=floor).log()
    free = interior(centre, heatmap.shape[2:])
    first = gradient(log) * free
    pairs = free[..., None] * free[..., None, :]
    second = hessian(log) * pairs - torch.diag_embed(1 - free)
    step = uphill(first, second).clamp(-1, 1)
    return centre + step, ((step * first).sum(-1) / 2).exp()


def middle(near: Heatmap) -> PerJoint:
    """The centre of a neighbourhood."""
    bins = near.flatten(2)
    return bins[..., bins.shape[-1] // 2]


def interior(centre: Position, shape: tuple[int, ...]) -> Position:
    """1 along the axes where a bin has a neighbour on both sides, else 0."""
    axes = zip(centre.unbind(-1), shape, strict=True)
    free = [(bins > 0) & (bins < size - 1) for bins, size in axes]
    return torch.stack(free, dim=-1).to(centre.dtype)


def blur(heatmap: Heatmap, sigma: float) -> Heatmap:
    """Gaussian smoothing along every axis, sigma in bins; nothing lies beyond the map."""
    radius = max(1, round(4 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=heatmap.device, dtype=heatmap.dtype)
    kernel = (-0.5 * (offsets / sigma) ** 2).exp()
    kernel = kernel / kernel.sum()
    for axis in range(2, heatmap.ndim):
        lines = heatmap.movedim(axis, -1)
        rows = lines.reshape(-1, 1, lines.shape[-1])
        smooth = torch.nn.functional.conv1d(rows, kernel[None, None], padding=radius)
        heatmap = smooth.view(lines.shape).movedim(-1, axis)
    return heatmap


def _bins(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, dtype=like.dtype, device=like.device)


def _middle(near: Heatmap, *keep: int) -> Heatmap:
    for axis in reversed(range(near.ndim - 2)):
        if axis not in keep:
            near = near.select(axis + 2, 1)
    return near


def _second(near: Heatmap, first: int, second: int) -> PerJoint:
    if first == second:
        line = _middle(near, first)
        return line[..., 2] - 2 * line[..., 1] + line[..., 0]
    plane = _middle(near, first, second)
    return (plane[..., 2, 2] - plane[..., 2, 0] - plane[..., 0, 2] + plane[..., 0, 0]) / 4
