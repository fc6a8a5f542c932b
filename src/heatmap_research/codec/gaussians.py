"""Gaussians, drawn as products of a profile along each axis."""

import math
from collections.abc import Sequence

import torch

from heatmap_research.codec import heatmaps
from heatmap_research.types import Heatmap, PerJoint, Position, Strides, Tensor

LEAST = -40.0  # exponent of a Gaussian


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
        return _exponential(heatmaps.bins(size, place) - place[..., None], sigma)
    first = (place.round().long() - reach).clamp(0, size - 2 * reach - 1)
    bins = first[..., None] + torch.arange(2 * reach + 1, device=place.device)
    near = _exponential(bins.to(place.dtype) - place[..., None], sigma)
    return place.new_full((*place.shape, size), math.exp(LEAST)).scatter_(-1, bins, near)


def _exponential(away: Tensor, sigma: float | Tensor) -> Tensor:
    """Exponents stop at -40: a CPU takes 10 to 30 times longer where exp underflows."""
    return (-0.5 * (away / sigma).square()).clamp(min=LEAST).exp()


def outer(profiles: Sequence[Tensor]) -> Heatmap:
    """Multiplies profiles, one (B, K, size) for each axis, into a map."""
    result = profiles[0]
    for axis, profile in enumerate(profiles[1:], start=1):
        result = result[..., None] * profile.view(*profile.shape[:2], *[1] * axis, -1)
    return result
