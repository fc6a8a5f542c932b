"""Image to scores."""

from torch import Tensor, nn

from heatmap_research.types import Heatmaps


class KeypointNet(nn.Module):
    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, image: Tensor) -> Heatmaps:
        return self.head(self.neck(self.backbone(image)))
