import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import BadZipFile

import timm
import torch
from huggingface_hub import constants
from jaxtyping import Float, UInt8
from timm.data import resolve_model_data_config
from torch import Tensor, nn

from heatmap_research.runs.bounded_file import refuse_packed
from heatmap_research.types import IncompatibleError, Level

PATIENCE = 5  # seconds for a hub to take a connection


class TimmBackbone(nn.Module):
    """Any timm model as a feature pyramid; images are normalised here, as the model expects."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        pretrained: bool,
        checkpoint: str | None,  # file of weights to load instead of those on the hub
        frozen: bool,
        in_chans: int,
        options: Mapping[str, Any],  # further arguments of timm.create_model
    ) -> None:
        super().__init__()
        self.name, self.frozen = name, frozen
        self.net = _create(name, pretrained, checkpoint, in_chans, options)
        info: Any = self.net.feature_info
        self.levels = tuple(map(Level, info.channels(), info.reduction()))
        self.channels_last = getattr(self.net, "output_fmt", "NCHW") == "NHWC"
        data = resolve_model_data_config(self.net)
        self.register_buffer("mean", _per_channel(data["mean"], in_chans))
        self.register_buffer("std", _per_channel(data["std"], in_chans))
        self.net.requires_grad_(not frozen)
        self.train()

    def train(self, mode: bool = True) -> "TimmBackbone":
        super().train(mode)
        if self.frozen:
            self.net.eval()  # in training mode batch norm would go on learning
        return self

    def forward(
        self,
        image: UInt8[Tensor, "batch channel height width"]
        | Float[Tensor, "batch channel height width"],  # also 0 to 255
    ) -> list[Tensor]:
        features = self.net((image / 255 - self.mean) / self.std)
        return [f.permute(0, 3, 1, 2) for f in features] if self.channels_last else features


def _create(
    name: str, pretrained: bool, checkpoint: str | None, in_chans: int, options: Mapping[str, Any]
) -> nn.Module:
    if checkpoint and not Path(checkpoint).is_file():
        raise IncompatibleError(f"backbone.checkpoint={checkpoint}: there is no such file.")
    try:
        if checkpoint:
            refuse_packed(checkpoint)
    except (ValueError, BadZipFile) as error:
        raise IncompatibleError(_why_no_weights(name, checkpoint, pretrained, error)) from error
    overlay = {"file": checkpoint} if checkpoint else None
    try:
        if pretrained or _is_of_a_hub(name):  # which keeps what the model is, too
            _spare_retries()
        return timm.create_model(
            name,
            pretrained=pretrained or checkpoint is not None,
            pretrained_cfg_overlay=overlay,
            features_only=True,
            in_chans=in_chans,
            **options,
        )
    except (OSError, RuntimeError) as error:
        if "Unknown model" in str(error):
            raise IncompatibleError(
                f"backbone.name={name} is not a timm model: choose one of timm.list_models()."
            ) from error
        raise IncompatibleError(_why_no_weights(name, checkpoint, pretrained, error)) from error


def _spare_retries() -> None:
    """Keeps to the hub's cache if the hub cannot be reached, where retries are futile."""
    hub = urlsplit(constants.ENDPOINT)
    if any(name.lower() in (f"{hub.scheme}_proxy", "all_proxy") for name in os.environ):
        return  # a proxy may reach hosts that have no address here
    try:
        port = hub.port or (80 if hub.scheme == "http" else 443)
        socket.create_connection((hub.hostname, port), timeout=PATIENCE).close()
    except OSError:
        constants.HF_HUB_OFFLINE = True


def _is_of_a_hub(name: str) -> bool:
    return name.startswith(("hf-hub:", "hf_hub:"))


def _why_no_weights(name: str, checkpoint: str | None, pretrained: bool, error: Exception) -> str:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    if checkpoint:
        return f"backbone.checkpoint={checkpoint} does not hold the weights of {name}: {reason}"
    if not pretrained:
        return (
            f"backbone.name={name}: its hub does not say what it is ({reason}): choose a name of "
            "timm.list_models()."
        )
    return (
        f"backbone.pretrained=true: the weights of {name} could not be had from their hub "
        f"({reason}): choose backbone.checkpoint=FILE or backbone.pretrained=false."
    )


def _per_channel(values: tuple[float, ...], channels: int) -> Tensor:
    """Takes a model's constants for RGB, or their mean for any other number of channels."""
    constants = torch.tensor(values)
    if channels != len(values):
        constants = constants.mean().expand(channels).clone()
    return constants[:, None, None]
