"""Pure functions on one map, of any number of spatial axes: (batch, joint, *shape)."""

import math
from collections.abc import Sequence
from typing import Literal

import torch

from heatmap_research.codec.sharing import once
from heatmap_research.types import Activation, Heatmap, PerJoint, Position, Strides, Tensor

Rounding = Literal["nearest", "even", "hrnet", "truncate"]
OPENCV_KERNELS = {  # weights by size in 256ths; OpenCV computes those of other sizes
    3: (64, 128, 64),
    5: (16, 64, 96, 64, 16),
    7: (8, 28, 56, 72, 56, 28, 8),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}
LEAST = -40.0  # exponent of a Gaussian
BLOCK = 96  # bins that are blurred by one product of matrices


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


def gaussian(position: Position, sigma: Strides, shape: tuple[int, ...]) -> Heatmap:
    """Draws a Gaussian with peak 1; sigma is in bins, one for each axis."""
    return outer(gaussian_profiles(position, sigma, shape))


def gaussian_profiles(position: Position, sigma: Strides, shape: tuple[int, ...]) -> list[Tensor]:
    """Returns a Gaussian's profile along each axis, (B, K, size), whose product it is."""
    axes = zip(position.unbind(-1), sigma, shape, strict=True)
    return [_profile(place, width, size) for place, width, size in axes]


def _profile(place: PerJoint, sigma: float | Tensor, size: int) -> Tensor:
    """On a CPU, where exponentials are dear, a long axis has none for bins that are all alike."""
    reach = (
        size if isinstance(sigma, torch.Tensor) else math.ceil(math.sqrt(-2 * LEAST) * sigma) + 1
    )
    if 4 * reach > size or place.device.type != "cpu":
        return _exponential(_bins(size, place) - place[..., None], sigma)
    first = (place.round().long() - reach).clamp(0, size - 2 * reach - 1)
    bins = first[..., None] + torch.arange(2 * reach + 1, device=place.device)
    near = _exponential(bins.to(place.dtype) - place[..., None], sigma)
    return place.new_full((*place.shape, size), math.exp(LEAST)).scatter_(-1, bins, near)


def _exponential(away: Tensor, sigma: float | Tensor) -> Tensor:
    """Exponents stop at -40: a CPU takes 10 to 30 times longer where exp underflows."""
    return (-0.5 * (away / sigma).square()).clamp(min=LEAST).exp()


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
        means.append(marginal @ (_bins(marginal.shape[-1], marginal) - half) + half)
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
    before, own, after = line.unbind(-1)
    return after - 2 * own + before


def hessian(near: Heatmap) -> Tensor:
    """Takes second differences at the middle of a neighbourhood of radius 1: (B, K, axis, axis)."""
    axes = range(near.ndim - 2)
    rows = [torch.stack([_second(near, a, b) for a in axes], dim=-1) for b in axes]
    return torch.stack(rows, dim=-2)


def uphill(gradient: Position, hessian: Tensor) -> Position:
    """Returns Newton's step to the top of a paraboloid, or zero where there is no top.

    Elimination is written out because a solver would make a GPU wait and could not be exported.
    """
    rows = [list(row.unbind(-1)) for row in (-hessian).unbind(-2)]
    return torch.stack(_solved(rows, list(gradient.unbind(-1))), dim=-1)


def _solved(matrix: list[list[PerJoint]], right: list[PerJoint]) -> list[PerJoint]:
    """Solves by Gauss-Jordan; zero where the matrix is not positive definite. Changes its lists."""
    axes, flat = range(len(right)), torch.zeros_like(right[0], dtype=torch.bool)
    for pivot in axes:
        low = (matrix[pivot][pivot] > 0).logical_not()
        flat = flat | low
        diagonal = matrix[pivot][pivot].masked_fill(low, 1)
        for row in axes:
            if row != pivot:
                ratio = matrix[row][pivot] / diagonal
                right[row] = right[row] - ratio * right[pivot]
                pairs = zip(matrix[row], matrix[pivot], strict=True)
                matrix[row] = [own - ratio * other for own, other in pairs]
    diagonals = (matrix[axis][axis].masked_fill(flat, 1) for axis in axes)
    return [(r / d).masked_fill(flat, 0) for r, d in zip(right, diagonals, strict=True)]


def parabola(heatmap: Heatmap, floor: float) -> tuple[Position, PerJoint]:
    """Fits a paraboloid to the log map about its highest bin; this is exact for a Gaussian.

    Returns the position of its top, and how many times higher it is than that bin. The top is
    at most one bin away along each axis, and not moved along one on which the bin is outermost.
    """
    centre = argmax(heatmap)
    near, _ = neighbourhood(heatmap, centre)
    step, rise = paraboloid(near, interior(centre, heatmap.shape[2:]), floor)
    return centre + step, rise


def paraboloid(near: Heatmap, free: Position, floor: float) -> tuple[Position, PerJoint]:
    """As `parabola`, from the neighbourhood of radius 1 of the highest bin; returns the step."""
    log, axes = near.clamp(min=floor).log(), range(near.ndim - 2)
    lines = [through(log, axis).unbind(-1) for axis in axes]
    inner = free.unbind(-1)
    first = [(line[2] - line[0]) / 2 * own for line, own in zip(lines, inner, strict=True)]
    upper = {(a, b): _less_bend(log, a, b, inner) for b in axes for a in range(b + 1)}
    matrix = [[upper[min(a, b), max(a, b)] for b in axes] for a in axes]
    step = [each.clamp(-1, 1) for each in _solved(matrix, list(first))]
    rise = torch.stack([s * f for s, f in zip(step, first, strict=True)]).sum(0) / 2
    return torch.stack(step, dim=-1), rise.exp()


def _less_bend(log: Heatmap, first: int, second: int, free: Sequence[PerJoint]) -> PerJoint:
    """An entry of the Hessian with its sign changed: that of -1 along an axis without a step."""
    if first == second:
        return (1 - free[first]) - bend(through(log, first)) * free[first]
    return -_second(log, first, second) * (free[first] * free[second])


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


@once
def blur(heatmap: Heatmap, sigma: float) -> Heatmap:
    """Blurs along every axis by a Gaussian, sigma in bins; the map is 0 beyond its border."""
    return convolve(heatmap, bell(sigma, heatmap))


def bell(sigma: float, like: Tensor) -> Tensor:
    """The kernel of a blur, which ends at 4 sigmas."""
    return kernel(2 * max(1, round(4 * sigma)) + 1, sigma, like)


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
        heatmap = along(axis, heatmap, kernel)
    return heatmap


def along(axis: int, heatmap: Heatmap, kernel: Tensor) -> Heatmap:
    """Convolves by products of matrices, which a CPU does many times faster than a convolution."""
    size, reach = heatmap.shape[axis], kernel.numel() // 2
    taps = band(kernel, min(size, BLOCK) + 2 * reach)
    parts = []
    for begin in range(0, size, BLOCK):
        first, count = max(0, begin - reach), min(BLOCK, size - begin)
        read = heatmap.narrow(axis, first, min(begin + count + reach, size) - first)
        own = taps.narrow(0, first - begin + reach, read.shape[axis])
        parts.append(multiplied(read, own[:, reach : reach + count], axis))
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


def band(kernel: Tensor, size: int) -> Tensor:
    """The kernel about each bin, a column a bin: (size, size)."""
    bins = torch.arange(size, device=kernel.device)
    tap = bins[:, None] - bins + kernel.numel() // 2
    held = (tap >= 0) & (tap < kernel.numel())
    return torch.where(held, kernel[tap.clamp(0, kernel.numel() - 1)], 0)


def multiplied(heatmap: Heatmap, matrix: Tensor, axis: int) -> Heatmap:
    """Makes weighted sums of the bins along one axis: a column of the matrix is one sum."""
    if axis == heatmap.ndim - 1:
        return (heatmap.flatten(0, -2) @ matrix).unflatten(0, heatmap.shape[:-1])
    return (matrix.mT @ heatmap.movedim(axis, -2)).movedim(-2, axis)


@once
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
    bins = through(near, first, second).flatten(-2).unbind(-1)
    return (bins[8] - bins[6] - bins[2] + bins[0]) / 4


def _determinant(matrix: Tensor) -> Tensor:
    """Expands along the first row, which is cheap for maps of one or two axes."""
    size = matrix.shape[-1]
    if size == 1:
        return matrix[..., 0, 0]
    others = [[axis for axis in range(size) if axis != column] for column in range(size)]
    minors = [_determinant(matrix[..., 1:, :][..., keep]) for keep in others]
    terms = [(-1) ** c * matrix[..., 0, c] * minor for c, minor in enumerate(minors)]
    return torch.stack(terms).sum(0)
