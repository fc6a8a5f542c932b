"""Pure functions on one map, of any number of spatial axes: (batch, joint, *shape)."""

from collections.abc import Sequence
from typing import Literal

import torch

from heatmap_research.types import Activation, Heatmap, PerJoint, Position, Strides, Tensor

Rounding = Literal["nearest", "even", "hrnet", "truncate"]
OPENCV_KERNELS = {  # weights by size in 256ths; OpenCV computes those of other sizes
    3: (64, 128, 64),
    5: (16, 64, 96, 64, 16),
    7: (8, 28, 56, 72, 56, 28, 8),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}


def activate(scores: Heatmap, activation: Activation) -> Heatmap:
    """Turns raw scores into a map, as the loss that trained them demands."""
    if activation == "identity":
        return scores
    if activation == "sigmoid":
        return scores.sigmoid()
    return scores.flatten(2).softmax(-1).view_as(scores)


def normalise(heatmap: Heatmap) -> Heatmap:
    """Cuts off negative values and scales the rest to sum to one."""
    positive = heatmap.clamp(min=0)
    total = positive.flatten(2).sum(-1).clamp(min=torch.finfo(heatmap.dtype).tiny)
    return positive / over(heatmap, total)


def over(heatmap: Heatmap, value: PerJoint) -> Tensor:
    """Reshapes one value per joint so that it broadcasts over the bins of that joint's map."""
    return value.view(*value.shape, *[1] * (heatmap.ndim - 2))


def gaussian(position: Position, sigma: Strides, shape: tuple[int, ...]) -> Heatmap:
    """Draws a Gaussian with peak 1; sigma is in bins, one for each axis."""
    return outer(gaussian_profiles(position, sigma, shape))


def gaussian_profiles(position: Position, sigma: Strides, shape: tuple[int, ...]) -> list[Tensor]:
    """Returns a Gaussian's profile along each axis, (B, K, size), whose product it is.

    Exponents stop at -40: a CPU takes 10 to 30 times longer where exp underflows.
    """
    pairs = zip(distances(position, shape), sigma, strict=True)
    return [(-0.5 * (d / s).square()).clamp(min=-40).exp() for d, s in pairs]


def distances(position: Position, shape: tuple[int, ...]) -> list[Tensor]:
    """Returns each bin's number less the position, for each axis: (B, K, size)."""
    axes = zip(position.unbind(-1), shape, strict=True)
    return [_bins(size, position) - place[..., None] for place, size in axes]


def outer(profiles: Sequence[Tensor]) -> Heatmap:
    """Multiplies profiles, one (B, K, size) for each axis, into a map."""
    result = profiles[0]
    for axis, profile in enumerate(profiles[1:], start=1):
        result = result[..., None] * profile.view(*profile.shape[:2], *[1] * axis, -1)
    return result


def rounded(position: Position, rule: Rounding) -> Position:
    """Rounds to whole bins: halves up, halves to even, int(x + 1/2) as in HRNet, or int(x)."""
    if rule == "nearest":
        return (position + 0.5).floor()
    if rule == "even":
        return position.round()
    return (position + 0.5 if rule == "hrnet" else position).trunc()


def argmax(heatmap: Heatmap) -> Position:
    """Returns the highest bin, and the first of them if several are equal."""
    flat = heatmap.flatten(2).max(-1).indices
    return torch.stack(torch.unravel_index(flat, heatmap.shape[2:]), dim=-1).to(heatmap.dtype)


def expectation(probability: Heatmap) -> Position:
    """Returns the mean bin along each axis of a map that sums to one."""
    means = []
    for marginal in marginals(probability):
        half = (marginal.shape[-1] - 1) / 2  # bins counted from the middle keep float32's digits
        means.append(marginal @ (_bins(marginal.shape[-1], marginal) - half) + half)
    return torch.stack(means, dim=-1)


def marginals(heatmap: Heatmap) -> list[Tensor]:
    """Sums a map over all axes but one, for each axis: (B, K, size)."""
    axes = range(2, heatmap.ndim)
    others = [[other for other in axes if other != axis] for axis in axes]
    return [heatmap.sum(rest) if rest else heatmap for rest in others]


def neighbourhood(heatmap: Heatmap, centre: Position, radius: int = 1) -> tuple[Heatmap, Tensor]:
    """The bins within `radius` of a centre, 0 beyond the map, and which of them lie in it."""
    shape = heatmap.shape[2:]
    offsets = torch.arange(-radius, radius + 1, device=heatmap.device)
    flat = torch.zeros((), dtype=torch.long, device=heatmap.device)
    inside = torch.ones((), dtype=torch.bool, device=heatmap.device)
    for axis, size in enumerate(shape):
        along = [1] * axis + [-1] + [1] * (len(shape) - axis - 1)
        index = (centre[..., axis].long()[..., None] + offsets).view(*centre.shape[:2], *along)
        inside = inside & (index >= 0) & (index < size)
        flat = flat * size + index.clamp(0, size - 1)
    values = heatmap.flatten(2).gather(-1, flat.flatten(2)).view(flat.shape)
    return torch.where(inside, values, 0), inside


def gradient(near: Heatmap) -> Position:
    """Takes central differences at the middle of a neighbourhood of radius 1."""
    lines = (through(near, axis) for axis in range(near.ndim - 2))
    return torch.stack([(line[..., 2] - line[..., 0]) / 2 for line in lines], dim=-1)


def through(near: Heatmap, *axes: int) -> Heatmap:
    """Returns the line, or the plane, along these axes through the middle of a neighbourhood."""
    for axis in reversed(range(near.ndim - 2)):
        if axis not in axes:
            near = near.select(axis + 2, near.shape[axis + 2] // 2)
    return near


def bend(line: Tensor) -> PerJoint:
    """Returns the second difference of three values."""
    return line[..., 2] - 2 * line[..., 1] + line[..., 0]


def hessian(near: Heatmap) -> Tensor:
    """Takes second differences at the middle of a neighbourhood of radius 1: (B, K, axis, axis)."""
    axes = range(near.ndim - 2)
    rows = [torch.stack([_second(near, a, b) for a in axes], dim=-1) for b in axes]
    return torch.stack(rows, dim=-2)


def uphill(gradient: Position, hessian: Tensor) -> Position:
    """Returns Newton's step to the top of a paraboloid, or zero where there is no top.

    Elimination is written out because a solver would make a GPU wait and could not be exported.
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
    """Fits a paraboloid to the log map about its highest bin; this is exact for a Gaussian.

    Returns the position of its top, and how many times higher it is than that bin. The top is
    at most one bin away along each axis, and not moved along one on which the bin is outermost.
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
    """Returns the value of the centre bin of a neighbourhood."""
    bins = near.flatten(2)
    return bins[..., bins.shape[-1] // 2]


def interior(centre: Position, shape: tuple[int, ...]) -> Position:
    """1 along the axes where a bin has a neighbour on both sides, else 0."""
    axes = zip(centre.unbind(-1), shape, strict=True)
    free = [(bins > 0) & (bins < size - 1) for bins, size in axes]
    return torch.stack(free, dim=-1).to(centre.dtype)


def blur(heatmap: Heatmap, sigma: float) -> Heatmap:
    """Blurs along every axis by a Gaussian, sigma in bins; the map is 0 beyond its border."""
    return convolve(heatmap, kernel(2 * max(1, round(4 * sigma)) + 1, sigma, heatmap))


def kernel(size: int, sigma: float | Tensor | None, like: Tensor) -> Tensor:
    """A Gaussian that sums to one over an odd number of bins; without a sigma, OpenCV's."""
    if sigma is None and size in OPENCV_KERNELS:
        return constant([weight / 256 for weight in OPENCV_KERNELS[size]], like)
    if sigma is None:
        sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    weights = (-0.5 * ((_bins(size, like) - size // 2) / sigma) ** 2).exp()  # (size,) or (K, size)
    return weights / weights.sum(-1, keepdim=True)


def convolve(heatmap: Heatmap, kernel: Tensor) -> Heatmap:
    """Convolves every axis with the same kernel; the map is 0 beyond its border."""
    for axis in range(2, heatmap.ndim):
        lines = heatmap.movedim(axis, -1)
        rows = lines.reshape(-1, 1, lines.shape[-1])
        smooth = torch.nn.functional.conv1d(rows, kernel[None, None], padding=kernel.numel() // 2)
        heatmap = smooth.view(lines.shape).movedim(-1, axis)
    return heatmap


def modulated(heatmap: Heatmap, size: int) -> Heatmap:
    """Blurs by OpenCV's kernel and restores the height of the peak, as published decoders do."""
    blurred = convolve(heatmap, kernel(size, None, heatmap))
    before, after = (each.flatten(2).amax(-1) for each in (heatmap, blurred))
    return blurred * over(heatmap, before / torch.where(after == 0, 1, after))


def extended(heatmap: Heatmap, bins: int) -> Heatmap:
    """Adds this many bins at every border by repeating the outermost."""
    sides = [bins] * (2 * (heatmap.ndim - 2))
    return torch.nn.functional.pad(heatmap, sides, mode="replicate")


def newton(gradient: Position, hessian: Tensor) -> Position:
    """Returns Newton's step to the top, bottom or saddle of a paraboloid, or zero without any.

    It is written out, by Cramer's rule, for the same reasons as `uphill`.
    """
    whole = _determinant(hessian)
    columns = torch.eye(gradient.shape[-1], dtype=torch.bool, device=gradient.device)
    swapped = [torch.where(column, gradient[..., None], hessian) for column in columns]
    step = torch.stack([_determinant(matrix) for matrix in swapped], dim=-1)
    level = (whole != 0)[..., None]
    return torch.where(level, -step / torch.where(level, whole[..., None], 1), 0)


def constant(values: Sequence[float], like: Tensor) -> Tensor:
    """Fills a tensor on the device of `like`: a copy from the host would make it wait."""
    return torch.stack([like.new_full((), value) for value in values])


def _bins(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, dtype=like.dtype, device=like.device)


def _second(near: Heatmap, first: int, second: int) -> PerJoint:
    if first == second:
        return bend(through(near, first))
    plane = through(near, first, second)
    return (plane[..., 2, 2] - plane[..., 2, 0] - plane[..., 0, 2] + plane[..., 0, 0]) / 4


def _determinant(matrix: Tensor) -> Tensor:
    """Expands along the first row, which is cheap for maps of one or two axes."""
    size = matrix.shape[-1]
    if size == 1:
        return matrix[..., 0, 0]
    others = [[axis for axis in range(size) if axis != column] for column in range(size)]
    minors = [_determinant(matrix[..., 1:, :][..., keep]) for keep in others]
    terms = [(-1) ** c * matrix[..., 0, c] * minor for c, minor in enumerate(minors)]
    return torch.stack(terms).sum(0)
