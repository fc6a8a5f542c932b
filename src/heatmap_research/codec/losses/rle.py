import math
from itertools import pairwise
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from heatmap_research.types import Activation, Keypoints, PerJoint

Points = Float[Tensor, "point 2"]

COUPLINGS = 6
HIDDEN_UNITS = 64  # of each layer of a coupling
DENSITIES = ("laplace", "gaussian")


class Flow(nn.Module):
    """RealNVP over the plane: learns a density of any shape (Dinh et al., 2017).

    A tanh bounds the logarithm of every scale, so that volumes change by a factor of e^6 at most.
    """

    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList(nn.Sequential(*_layers(), nn.Tanh()) for _ in range(COUPLINGS))
        self.shifts = nn.ModuleList(nn.Sequential(*_layers()) for _ in range(COUPLINGS))
        kept = torch.eye(2).flip(0).repeat(COUPLINGS // 2, 1)  # y, x, y, x, ...
        self.register_buffer("kept", kept, persistent=False)

    def log_density(self, points: Points) -> Float[Tensor, " point"]:
        points, log_volume = self.standardise(points)
        return log_volume - points.square().sum(-1) / 2 - math.log(2 * math.pi)

    def standardise(self, points: Points) -> tuple[Points, Float[Tensor, " point"]]:
        """Undoes all couplings; returns standard normal points and the log of the volume ratio."""
        log_volume = torch.zeros_like(points[:, 0])
        couplings = zip(self.kept, self.scales, self.shifts, strict=True)
        for kept, scale, shift in reversed(list(couplings)):
            given = points * kept
            log_scale = scale(given) * (1 - kept)
            moved = (points - shift(given)) * (-log_scale).exp()
            points = given + moved * (1 - kept)
            log_volume = log_volume - log_scale.sum(-1)
        return points, log_volume


class Rle(nn.Module):
    """Residual log-likelihood: the negative log density of the error, in units of the spread
    (Li et al., 2021). With `residual` the density is a simple one times a flow, which is not
    normalised, as in the paper; without, it is the flow alone.

    With `published` the flow's term counts twice, and with `residual` so does the spread's. That
    is no likelihood, but it is what the published code trains by.
    """

    activation: ClassVar[Activation] = "coordinates"
    spread: ClassVar[bool] = True

    def __init__(self, density: str, residual: bool, published: bool, least: float) -> None:
        super().__init__()
        if density not in DENSITIES:
            raise ValueError(f"loss.density={density}: choose {', '.join(DENSITIES)}.")
        if least <= 0:
            raise ValueError(f"loss.least={least:g}: a spread in input pixels is above 0.")
        self.density, self.least = density, least
        self.residual, self.published = residual, published
        self.flow = Flow()

    def forward(
        self, predicted: Keypoints, wanted: Keypoints, spread: Keypoints | None
    ) -> PerJoint:
        assert spread is not None
        spread = spread.clamp(min=self.least)
        error = (predicted - wanted) / spread
        log_flow = self.flow.log_density(error.flatten(0, 1)).view(error.shape[:2])
        log_spread = spread.log().sum(-1)
        loss = log_spread - log_flow * (2 if self.published else 1)
        if self.residual:
            loss = loss + self._simple(error) + (log_spread if self.published else 0)
        return loss

    def _simple(self, error: Keypoints) -> PerJoint:
        """Returns the negative logarithm of the standard Laplace or normal density."""
        if self.density == "laplace":
            return (error.abs() + math.log(2)).sum(-1)
        return (error.square() / 2 + math.log(2 * math.pi) / 2).sum(-1)


def _layers() -> list[nn.Module]:
    """Starts with weights near 0, so that at first the flow hardly moves a point."""
    sizes = (2, HIDDEN_UNITS, HIDDEN_UNITS, 2)
    linear = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    for layer in linear:
        nn.init.xavier_uniform_(layer.weight, gain=0.01)
    return [linear[0], nn.LeakyReLU(), linear[1], nn.LeakyReLU(), linear[2]]
