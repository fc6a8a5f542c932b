from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from heatmap_research.types import IncompatibleError, Level


class TopDown(nn.Module):
    """Makes one feature map of a chosen stride, the same for every head (after Lin et al., 2017).

    It adds the levels up from the coarsest, and upsamples the sum if no level is fine enough.
    """

    def __init__(self, levels: Sequence[Level], stride: int, channels: int) -> None:
        super().__init__()
        self.used = [i for i, level in enumerate(levels) if level.stride >= stride]
        if not self.used:
            raise IncompatibleError(
                f"neck.stride={stride} is coarser than every level of this backbone "
                f"({', '.join(str(level.stride) for level in levels)}): choose one of those."
            )
        self.rest = min(levels[i].stride for i in self.used) / stride
        self.lateral = nn.ModuleList(
            nn.Conv2d(levels[i].channels, channels, kernel_size=1) for i in self.used
        )
        self.smooth = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.levels = (Level(channels, stride),)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        maps = [conv(features[i]) for i, conv in zip(self.used, self.lateral, strict=True)]
        total = maps.pop()
        for finer in reversed(maps):
            total = finer + interpolate(total, finer.shape[-2:], mode="bilinear")
        if self.rest != 1:
            total = interpolate(total, scale_factor=self.rest, mode="bilinear")
        return [self.smooth(total)]
