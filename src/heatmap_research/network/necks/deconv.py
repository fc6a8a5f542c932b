import math
from collections.abc import Sequence

from torch import Tensor, nn

from heatmap_research.network.layers import start_all_near_zero, transposed
from heatmap_research.types import IncompatibleError, Level


class Deconv(nn.Module):
    """Gives any head the transposed convolutions of a 2-D baseline (Xiao et al., 2018)."""

    def __init__(
        self, levels: Sequence[Level], stride: int, channels: int, init_std: float
    ) -> None:
        super().__init__()
        last = levels[-1]
        doublings = math.log2(last.stride / stride)
        if doublings < 1 or not doublings.is_integer():
            raise IncompatibleError(
                f"neck.stride={stride}: neck=deconv doubles the stride {last.stride} it is given "
                f"downwards; choose {last.stride} divided by a power of two, or neck=identity."
            )
        widths = [last.channels] + [channels] * int(doublings)
        self.up = nn.Sequential(*map(transposed, widths[:-1], widths[1:]))
        self.levels = (Level(channels, stride),)
        start_all_near_zero(self, init_std)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return [self.up(features[-1])]
