"""Convolutions of maps: a Gaussian blur and OpenCV's, and what borders need for them."""

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.codec.sharing import once
from heatmap_research.types import Heatmap, Tensor

OPENCV_KERNELS = {  # weights by size in 256ths; OpenCV computes those of other sizes
    3: (64, 128, 64),
    5: (16, 64, 96, 64, 16),
    7: (8, 28, 56, 72, 56, 28, 8),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}
BLOCK = 96  # bins that are blurred by one product of matrices


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
        return heatmaps.constant([weight / 256 for weight in OPENCV_KERNELS[size]], like)
    if sigma is None:
        sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    away = heatmaps.bins(size, like) - size // 2
    weights = (-0.5 * (away / sigma) ** 2).exp()  # (size,) or (K, size)
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
    return blurred * heatmaps.over(heatmap, before / torch.where(after == 0, 1, after))


def extended(heatmap: Heatmap, bins: int) -> Heatmap:
    """Adds this many bins at every border by repeating the outermost."""
    sides = [bins] * (2 * (heatmap.ndim - 2))
    return torch.nn.functional.pad(heatmap, sides, mode="replicate")
