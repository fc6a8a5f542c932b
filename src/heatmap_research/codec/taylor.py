"""Differences between the bins about one, and the steps from there to the top of a paraboloid."""

from collections.abc import Sequence

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, PerJoint, Position, Tensor


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
    centre = heatmaps.argmax(heatmap)
    near, _ = heatmaps.neighbourhood(heatmap, centre)
    step, rise = paraboloid(near, heatmaps.interior(centre, heatmap.shape[2:]), floor)
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
