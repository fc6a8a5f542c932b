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
        self.still: list[nn.Module] = []  # modules that do not learn

    def keep_still(self) -> None:
        """Keeps batch norm and dropout, too, as they are where no parameter learns."""
        self.still = [module for module in self.modules() if _is_frozen(module)]
        self.train(self.training)

    def train(self, mode: bool = True) -> "KeypointNet":
        super().train(mode)
        for module in self.still:
            module.eval()
        return self

    def forward(self, image: Tensor) -> Heatmaps:
        return self.head(self.neck(self.backbone(image)))


def _is_frozen(module: nn.Module) -> bool:
    learns = [parameter.requires_grad for parameter in module.parameters()]
    return bool(learns) and not any(learns)
