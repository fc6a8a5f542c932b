"""The maps of a network that knows each place only up to a width: the mean of their labels.

Squared error and cross-entropy are both least at the mean of the labels a network sees, drawn about
the place it would name. So labels at whole bins are dithered, and speak of what lies between.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float

from heatmap_research.codec import gaussians
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.learnt_joints import Labels
from heatmap_research.types import Heatmaps, Keypoints, Tensor

EVERYWHERE = Labels("regress", "ignore", outside="tail", reach=1e9, sigma=1.0)
REACH_IN_WIDTHS = 5  # 6e-7 of the whole lies further out
GAUSS_NODES = ((1 - 3**-0.5) / 2, (1 + 3**-0.5) / 2)  # two places in a panel, as shares of it
# places a label is looked at to learn what kind it is: x, y as shares of the crop
PROBES = ((0.23, 0.41), (0.37, 0.08), (0.71, 0.93), (0.12, 0.66), (0.5, 0.29))


def learnt(
    codec: Codec,
    keypoints: Keypoints,
    width: float | tuple[float, ...],  # input pixels, of all joints or of each
    whole_pixels: bool = False,  # whether keypoints are rounded before a label is drawn
) -> Heatmaps:
    """The mean label under a Gaussian posterior that is `width` wide along each axis.

    A width of 0 gives the label itself. Each axis has its mean apart, which is exact for labels
    that are products of a profile along each.
    """
    widths = width if isinstance(width, tuple) else (width,)
    if not any(widths):
        points = keypoints.round() if whole_pixels else keypoints
        return _labels(replace(codec, labels=EVERYWHERE), points)
    profiles = _mean(along_axes(codec), keypoints, widths, whole_pixels)
    return profiles if codec.grid.ndim == 1 else (gaussians.outer(profiles),)


def is_entangled(codec: Codec) -> bool:
    """Whether the label is no product of profiles, so that no axis has a mean of its own."""
    if codec.grid.ndim == 1:
        return False
    points = _probes(codec)
    (whole,) = _labels(replace(codec, labels=EVERYWHERE), points)
    product = gaussians.outer(_labels(along_axes(codec), points))
    return bool((whole - product).abs().amax() > 1e-4 * whole.amax())


def along_axes(codec: Codec) -> Codec:
    """The same codec with a vector for each axis in place of a map."""
    return replace(codec, grid=replace(codec.grid, ndim=1), labels=EVERYWHERE)


def _mean(
    codec: Codec, keypoints: Keypoints, widths: tuple[float, ...], whole_pixels: bool
) -> Heatmaps:
    stepped = whole_pixels or _is_stepped(codec)
    if whole_pixels:
        spacings, places = [1.0, 1.0], keypoints.flip(-1).unbind(-1)
    else:
        spacings = [spacing for _, spacing in codec.grid.lines]
        places = tuple(position[..., 0] for position in codec.grid.split(keypoints))
    reach = REACH_IN_WIDTHS * max(widths) / min(spacings)  # bins, or pixels
    wide = torch.tensor(widths, dtype=torch.float64, device=keypoints.device)
    wide = wide.clamp(min=1e-9)[:, None]  # results are divided by it
    axes = [  # y, x
        panels(place.double(), wide / spacing, reach, whole=stepped)
        for place, spacing in zip(places, spacings, strict=True)
    ]
    total: Heatmaps = ()
    for node in range(axes[0][0].shape[-1]):
        moves = [moved[..., node] * s for (moved, _), s in zip(axes, spacings, strict=True)]
        there = keypoints + torch.stack(moves[::-1], dim=-1).to(keypoints.dtype)
        labels = _labels(codec, there.round() if whole_pixels else there)
        shares = [share[..., node, None].to(keypoints.dtype) for _, share in axes]
        parts = tuple(map(torch.mul, labels, shares))
        total = tuple(map(torch.add, total, parts)) if total else parts
    return total


def panels(
    position: Float[Tensor, "batch joint"],
    width: float | Float[Tensor, "#joint 1"],
    reach: float,
    whole: bool,
) -> tuple[Float[Tensor, "batch joint node"], Float[Tensor, "batch joint node"]]:
    """Displacements from a position in bins, and the probability that each stands for.

    Panels end wherever rounding may step, at halves of a bin, and so hold their exact mass. With
    `whole`, labels do not change within a panel and it has one node. Otherwise it is no wider than
    the posterior and has two, at the places of Gauss's quadrature.
    """
    halves = torch.arange(-math.ceil(2 * reach), math.ceil(2 * reach) + 2, device=position.device)
    edges = (torch.floor(2 * position)[..., None] + halves) / 2 - position[..., None]
    if not whole:
        steps = torch.arange(-REACH_IN_WIDTHS, REACH_IN_WIDTHS + 1, device=position.device) * width
        edges = torch.cat([edges, steps.to(edges).expand(*position.shape, -1)], dim=-1)
    end = REACH_IN_WIDTHS * torch.as_tensor(width, dtype=edges.dtype, device=edges.device)
    edges = torch.maximum(torch.minimum(edges, end), -end).sort(-1).values
    low, high = edges[..., :-1], edges[..., 1:]
    mass = torch.special.ndtr(high / width) - torch.special.ndtr(low / width)
    mass = mass / mass.sum(-1, keepdim=True)
    if whole:
        return (low + high) / 2, mass
    nodes = [low + share * (high - low) for share in GAUSS_NODES]
    heights = [(-0.5 * (node / width).square()).exp() for node in nodes]
    shares = [height / (heights[0] + heights[1]) * mass for height in heights]
    return torch.cat(nodes, dim=-1), torch.cat(shares, dim=-1)


def _labels(codec: Codec, keypoints: Keypoints) -> Heatmaps:
    """The labels on the scale that the codec reads maps in."""
    everyone = torch.ones(keypoints.shape[:2], dtype=torch.long, device=keypoints.device)
    return tuple(codec.as_read(label.heatmap) for label in codec.encode(keypoints, everyone))


def _is_stepped(codec: Codec) -> bool:
    """Whether labels stay the same as a point moves within half a bin, as rounded ones do."""
    places = [position.mul(2).floor() / 2 for position in codec.grid.split(_probes(codec))]
    one, other = (
        _labels(codec, codec.grid.join([place + share for place in places])) for share in (0.1, 0.4)
    )
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _probes(codec: Codec) -> Keypoints:
    """A few test points, each repeated for every joint that has a label width of its own."""
    height, width = codec.grid.image_size
    joints = len(codec.widths.by_joint or (1,))
    points = torch.tensor([[x * width, y * height] for x, y in PROBES])
    return points[:, None].expand(-1, joints, -1)
