from dataclasses import dataclass
from typing import get_args

from heatmap_research.codec import gaussians, heatmaps
from heatmap_research.codec.heatmaps import Rounding
from heatmap_research.types import Heatmap, Position, Strides


@dataclass(frozen=True)
class GaussianPatch:
    """Draws a Gaussian at the exact position, but only in a window about the bin that holds it."""

    sigma: float  # input pixels
    reach: float  # half width of the window, in sigmas
    rule: Rounding  # how the position is rounded to the middle bin of the window

    def __post_init__(self) -> None:
        if self.sigma <= 0:
            raise ValueError(f"sigma={self.sigma:g}: a label's width in input pixels is above 0.")
        if self.reach <= 0:
            raise ValueError(f"target.reach={self.reach:g}: a window reaches beyond 0 sigmas.")
        if self.rule not in get_args(Rounding):
            raise ValueError(f"target.rule={self.rule}: choose {', '.join(get_args(Rounding))}.")

    def __call__(self, position: Position, shape: tuple[int, ...], stride: Strides) -> Heatmap:
        sigmas = [self.sigma / s for s in stride]
        away = heatmaps.distances(heatmaps.rounded(position, self.rule), shape)
        profiles = gaussians.gaussian_profiles(position, tuple(sigmas), shape)
        near = (d.abs() <= self.reach * s + 1e-4 for d, s in zip(away, sigmas, strict=True))
        return gaussians.outer([p * inside for p, inside in zip(profiles, near, strict=True)])
