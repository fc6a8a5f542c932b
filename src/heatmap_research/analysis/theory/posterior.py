"""The maps that a network learns which knows a place only up to a width: the mean of their labels.

Squared error and cross-entropy are both least at the mean of the labels a network sees, drawn about
the place it would name. So labels at whole bins are dithered, and speak of what lies between.
"""

import math
from dataclasses import replace

import torch
from jaxtyping import Float

from heatmap_research.codec import heatmaps
from heatmap_research.codec.codec import Codec
from heatmap_research.codec.labels import Labels
from heatmap_research.types import Heatmaps, IncompatibleError, Keypoints, Tensor

EVERYWHERE = Labels("regress", "ignore", outside="tail", reach=1e9, sigma=1.0)
REACH = 5  # widths: what lies further out is 6e-7 of the whole
GAUSS = ((1 - 3**-0.5) / 2, (1 + 3**-0.5) / 2)  # where a panel is looked at, as shares of it
PROBES = ((0.23, 0.41), (0.37, 0.08), (0.71, 0.93), (0.12, 0.66), (0.5, 0.29))  # of the crop


def learnt(
    codec: Codec,
    keypoints: Keypoints,
    width: float | tuple[float, ...],  # of all joints, or of each
    whole_pixels: bool = False,  # keypoints are rounded to, before a label is drawn
) -> Heatmaps:
    """A Gaussian posterior's, of this width along each axis in input pixels; labels where it is 0.

    Means along the axes are taken apart, which holds for labels that are products of profiles.
    """
    widest = max(width) if isinstance(width, tuple) else width
    if widest == 0:
        points = keypoints.round() if whole_pixels else keypoints
        return _labels(replace(codec, labels=EVERYWHERE), points)
    profiles = _mean(along_axes(codec), keypoints, width, widest, whole_pixels)
    return profiles if codec.grid.ndim == 1 else (heatmaps.outer(profiles),)


def is_entangled(codec: Codec) -> bool:
    """A label that is no product of profiles has no mean along one axis at a time."""
    if codec.grid.ndim == 1:
        return False
    points = _probes(codec)
    (whole,) = _labels(replace(codec, labels=EVERYWHERE), points)
    product = heatmaps.outer(_labels(along_axes(codec), points))
    return bool((whole - product).abs().amax() > 1e-4 * whole.amax())


def refuse_entangled(codec: Codec) -> None:
    if is_entangled(codec):
        raise IncompatibleError(
            "uncertainty above 0 needs a label that is the product of a profile along each axis, "
            "and this target's is not in 2-D: choose uncertainty=0, layout=1d or another target."
        )


def along_axes(codec: Codec) -> Codec:
    """The same, but for a vector an axis in place of a map."""
    return replace(codec, grid=replace(codec.grid, ndim=1), labels=EVERYWHERE)


def _mean(
    codec: Codec,
    keypoints: Keypoints,
    width: float | tuple[float, ...],
    widest: float,
    whole_pixels: bool,
) -> Heatmaps:
    stepped = whole_pixels or _is_stepped(codec)
    spacings = [1.0, 1.0] if whole_pixels else [spacing for _, spacing in codec.grid.lines]
    reach = REACH * widest / min(spacings)  # bins, or pixels
    axes = [  # y, x
        panels(place.double(), _wide(width, keypoints) / spacing, reach, whole=stepped)
        for place, spacing in zip(_places(codec, keypoints, whole_pixels), spacings, strict=True)
    ]
    total: Heatmaps = ()
    for node in range(axes[0][0].shape[-1]):
        moves = [moved[..., node] * s for (moved, _), s in zip(axes, spacings, strict=True)]
        there = keypoints + torch.stack(moves[::-1], dim=-1).to(keypoints.dtype)
        there = there.round() if whole_pixels else there
        shares = [share[..., node, None].to(keypoints.dtype) for _, share in axes]
        parts = tuple(
            label * share for label, share in zip(_labels(codec, there), shares, strict=True)
        )
        total = tuple(map(torch.add, total, parts)) if total else parts
    return total


def _places(codec: Codec, keypoints: Keypoints, whole_pixels: bool) -> tuple[Tensor, ...]:
    """Along y and x, in bins or in pixels."""
    if whole_pixels:
        return keypoints.flip(-1).unbind(-1)
    return tuple(position[..., 0] for position in codec.grid.split(keypoints))


def _wide(width: float | tuple[float, ...], like: Tensor) -> Float[Tensor, "#joint 1"]:
    """Never 0, which nothing may be divided by."""
    widths = width if isinstance(width, tuple) else (width,)
    return torch.tensor(widths, dtype=torch.float64, device=like.device).clamp(min=1e-9)[:, None]


def panels(
    position: Float[Tensor, "batch joint"],
    width: float | Float[Tensor, "#joint 1"],
    reach: float,
    whole: bool,
) -> tuple[Float[Tensor, "batch joint node"], Float[Tensor, "batch joint node"]]:
    """Displacements from a position, and the probability that each stands for; all in bins.

    Panels end wherever rounding may step, at halves of a bin, and so hold their exact mass. A label
    that does not change in between is looked at once a panel, any other twice in at most a width.
    """
    halves = torch.arange(-math.ceil(2 * reach), math.ceil(2 * reach) + 2, device=position.device)
    edges = (torch.floor(2 * position)[..., None] + halves) / 2 - position[..., None]
    if not whole:
        steps = torch.arange(-REACH, REACH + 1, device=position.device) * width
        edges = torch.cat([edges, steps.to(edges).expand(*position.shape, -1)], dim=-1)
    end = REACH * torch.as_tensor(width, dtype=edges.dtype, device=edges.device)
    edges = torch.maximum(torch.minimum(edges, end), -end).sort(-1).values
    low, high = edges[..., :-1], edges[..., 1:]
    mass = torch.special.ndtr(high / width) - torch.special.ndtr(low / width)
    mass = mass / mass.sum(-1, keepdim=True)
    if whole:
        return (low + high) / 2, mass
    nodes = [low + share * (high - low) for share in GAUSS]
    heights = [(-0.5 * (node / width).square()).exp() for node in nodes]
    shares = [height / (heights[0] + heights[1]) * mass for height in heights]
    return torch.cat(nodes, dim=-1), torch.cat(shares, dim=-1)


def _labels(codec: Codec, keypoints: Keypoints) -> Heatmaps:
    """As scores that match them would be read."""
    everyone = torch.ones(keypoints.shape[:2], dtype=torch.long, device=keypoints.device)
    return tuple(codec.as_read(label.heatmap) for label in codec.encode(keypoints, everyone))


def _is_stepped(codec: Codec) -> bool:
    """Whether labels are the same within half a bin, as rounded ones are."""
    places = [position.mul(2).floor() / 2 for position in codec.grid.split(_probes(codec))]
    one, other = (
        _labels(codec, codec.grid.join([place + share for place in places])) for share in (0.1, 0.4)
    )
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _probes(codec: Codec) -> Keypoints:
    """A few points, the same of as many joints as the codec may have widths for."""
    height, width = codec.grid.image_size
    joints = len(codec.widths.by_joint or (1,))
    points = torch.tensor([[x * width, y * height] for x, y in PROBES])
    return points[:, None].expand(-1, joints, -1)
