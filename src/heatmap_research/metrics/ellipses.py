"""Whether an answer is as far from the truth as the covariance that is read from its map says.

An ellipse of 68 % holds 68 % of the truths where errors are normal with that covariance. A map is
taught to be as wide as its label, so nothing makes this so; one factor for all widths, fitted on
val, may.
"""

import math

import torch
from jaxtyping import Float
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from heatmap_research.codec.covariance import Covariance
from heatmap_research.types import Prediction, Sample, Tensor

SHARES = (0.68, 0.95)
FIGURES = ("within_68", "within_95", "widening", "widened_68", "widened_95")
NARROWEST_PX = 1e-3  # a map in one bin has no width at all


class Ellipses(Metric):
    """Shares of labelled joints within the ellipses; not a number where there are none.

    `widening` makes the smaller ellipse on val hold its share, and is kept for what is read next.
    """

    full_state_update = False
    reads_covariance = True
    figures = shown = FIGURES
    squares: list[Tensor]  # of each joint's distance from the truth, in standard deviations

    def __init__(self) -> None:
        super().__init__()
        self.add_state("squares", [], dist_reduce_fx="cat")
        self.stage = "val"
        self.widening = math.nan

    def update(self, prediction: Prediction, batch: Sample) -> None:
        if prediction.covariance is None:
            return
        away = prediction.keypoints.float() - batch.keypoints
        self.squares.append(square_distance(away, prediction.covariance)[batch.visible > 0])

    def compute(self) -> dict[str, Tensor]:
        squares = dim_zero_cat(self.squares) if len(self.squares) else torch.empty(0)
        squares = squares.double()
        limits = [-2 * math.log1p(-share) for share in SHARES]  # of chi square, two degrees
        if self.stage == "val":
            self.widening = math.sqrt(_nearest(squares, SHARES[0]) / limits[0])
        factors = (1.0, self.widening**2 * (1 + 1e-6))  # the joint it was fitted to lies within
        shares = [_share(squares, limit * factor) for factor in factors for limit in limits]
        values = [*shares[:2], squares.new_tensor(self.widening), *shares[2:]]
        return dict(zip(FIGURES, values, strict=True))


def square_distance(
    away: Float[Tensor, "*joints 2"], covariance: Covariance
) -> Float[Tensor, "*joints"]:
    """Returns Mahalanobis' distance of each point, squared."""
    narrowest = NARROWEST_PX**2 * torch.eye(2).to(covariance)
    solved = torch.linalg.solve(covariance.float() + narrowest, away[..., None])
    return (away * solved[..., 0]).sum(-1)


def _nearest(squares: Float[Tensor, " joint"], share: float) -> float:
    """Returns the distance within which this share of joints lies."""
    rank = math.ceil(share * len(squares))
    return squares.kthvalue(rank).values.item() if rank else math.nan


def _share(squares: Float[Tensor, " joint"], limit: float) -> Float[Tensor, ""]:
    """Not a number where there is no distance or no limit."""
    within = torch.where(squares.isnan(), torch.nan, (squares <= limit).double()).mean()
    return within if math.isfinite(limit) else torch.full_like(within, torch.nan)
