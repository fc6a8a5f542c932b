from torch import Tensor, nn

from heatmap_research.network.protocols import Backbone, Head, Neck
from heatmap_research.types import Heatmaps


class KeypointNet(nn.Module):
    """Turns images into raw scores: backbone, then neck, then head."""

    def __init__(self, backbone: Backbone, neck: Neck, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, image: Tensor) -> Heatmaps:
        return self.head(self.neck(self.backbone(image)))
