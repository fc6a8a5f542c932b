"""How widely an answer spreads about its point: a covariance of x and y, whatever the layout.

Pure functions. A variance is in square crop pixels until `turned` takes it to another frame.
"""

import torch
from jaxtyping import Float

from heatmap_research.codec import heatmaps
from heatmap_research.codec.geometry import Affine
from heatmap_research.codec.grid import Grid
from heatmap_research.types import Heatmap, Heatmaps, Keypoints, Tensor

Covariance = Float[Tensor, "*batch joint 2 2"]  # of x and y


def of_answer(grid: Grid, activated: Heatmaps) -> Covariance | None:
    """From maps, from vectors, or from learnt spreads; None for coordinates without a spread."""
    with torch.autocast(activated[0].device.type, enabled=False):
        if grid.ndim:
            return of_maps(grid, activated)
        return of_spread(activated[1]) if len(activated) > 1 else None


def of_maps(grid: Grid, activated: Heatmaps) -> Covariance:
    """Takes the second central moments of each map, made to sum to one.

    Two vectors are two independent distributions: x and y do not vary together.
    """
    maps = [_distribution(heatmap) for heatmap in activated]
    profiles = [profile for each in maps for profile in heatmaps.marginals(each)]  # of y, of x
    down, across = (offset for each in maps for offset in _offsets(each))
    pairs = zip(profiles, (down, across), strict=True)
    vertical, horizontal = ((profile * offset.square()).sum(-1) for profile, offset in pairs)
    shared = torch.zeros_like(vertical)
    if grid.ndim == 2:
        shared = ((maps[0] * across[..., None, :]).sum(-1) * down).sum(-1)
    (_, high), (_, wide) = grid.lines  # pixels from bin to bin
    return _matrix(horizontal * wide**2, shared * (high * wide), vertical * high**2)


def of_spread(spread: Keypoints) -> Covariance:
    """Takes a learnt spread, in crop pixels, as the standard deviation of x and of y."""
    return torch.diag_embed(spread.square())


def turned(covariance: Covariance, affine: Affine) -> Covariance:
    """Carries a covariance over, as an affine carries points."""
    linear = affine[..., None, :, :2]
    return linear @ covariance @ linear.mT


def _distribution(heatmap: Heatmap) -> Heatmap:
    """A map with nothing above zero says nothing: every bin is as likely as another."""
    top = heatmaps.over(heatmap, heatmap.flatten(2).amax(-1))
    return heatmaps.normalise(torch.where(top > 0, heatmap, 1.0))


def _offsets(distribution: Heatmap) -> list[Tensor]:
    """Bins counted from the mean, along each axis."""
    return heatmaps.distances(heatmaps.expectation(distribution), distribution.shape[2:])


def _matrix(x: Tensor, shared: Tensor, y: Tensor) -> Covariance:
    return torch.stack([torch.stack([x, shared], -1), torch.stack([shared, y], -1)], -2)
