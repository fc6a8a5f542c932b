from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from heatmap_research.codec.grid import Grid
from heatmap_research.network.heads._trunk import trunk_1d
from heatmap_research.network.protocols import MakeHead
from heatmap_research.types import Heatmaps, IncompatibleError, Level


class LowRank(nn.Module):
    """Reads a mixture of pairs of 1-D maps as one 2-D map.

    With one component the two axes are independent, as in the 1-D head itself; with as many as an
    axis has bins, any map can be represented. Components that start alike would stay alike, since
    all would learn the same product of marginals. So each weighs more in one stripe of the width;
    the weights add up to one, so components that agree still act as a single one. Or, with em=hard,
    a bin trains only the component that is best there, and they part as in hard EM.
    """

    ndim: ClassVar[Literal[2]] = 2

    def __init__(
        self,
        levels: Sequence[Level],
        grid: Grid,
        joints: int,
        rank: int,
        reach: float,  # how far a component weighs, in widths of its stripe; infinite: everywhere
        em: str,  # soft or hard
        trunk: MakeHead,  # a 1-D head
    ) -> None:
        super().__init__()
        if em not in ("soft", "hard"):
            raise IncompatibleError(f"head.em={em}: choose soft or hard.")
        if rank < 1:
            raise IncompatibleError(f"head.rank={rank}: give a number of components, at least 1.")
        if not reach > 0:
            raise IncompatibleError(f"head.reach={reach}: give a share of a stripe, above 0.")
        self.reach, self.hard = reach, em == "hard"
        self.trunk = trunk_1d("low_rank", trunk, levels, grid, joints * rank)
        self.weight = nn.Parameter(torch.zeros(joints, rank))  # logits, up to a constant

    def forward(self, features: list[Tensor]) -> Heatmaps:
        rows, columns = (m.unflatten(1, self.weight.shape) for m in self.trunk(features))
        columns = columns + self._log_share(columns)
        weight: Tensor = self.weight
        if self.hard:  # components are compared as distributions
            rows, columns, weight = (m.log_softmax(-1) for m in (rows, columns, weight))
        parts = rows[..., :, None] + columns[..., None, :]  # (B, K, R, H, W)
        parts = parts + weight[..., None, None]
        return (parts.amax(2) if self.hard and self.training else parts.logsumexp(2),)

    def _log_share(self, columns: Tensor) -> Tensor:
        """Returns the logarithm of each component's weight at each column: (R, W)."""
        rank, width = columns.shape[2:]
        stripes = (torch.arange(width, device=columns.device) + 0.5) * (rank / width) - 0.5
        distance = (stripes - torch.arange(rank, device=columns.device)[:, None]) / self.reach
        return (-0.5 * distance.square()).log_softmax(0).to(columns.dtype)
