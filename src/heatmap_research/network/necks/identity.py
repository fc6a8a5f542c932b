from collections.abc import Sequence

from torch import Tensor, nn

from heatmap_research.types import Level


class Identity(nn.Module):
    """Passes on the backbone's own feature maps, as published recipes use them."""

    def __init__(self, levels: Sequence[Level]) -> None:
        super().__init__()
        self.levels = tuple(levels)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        return features
