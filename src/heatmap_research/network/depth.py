"""How deep each weight of a backbone lies, and which weights a training leaves as they are."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import timm
import torch
from timm.models import group_parameters
from torch import nn

from heatmap_research.network.backbone import TimmBackbone
from heatmap_research.network.net import KeypointNet
from heatmap_research.network.protocols import Backbone
from heatmap_research.types import IncompatibleError

STAGES = "stages."


def freeze(net: KeypointNet, parts: str | Sequence[str]) -> None:
    """Takes `backbone`, `neck` or `stages.N` (the stem and N stages) out of what is learnt."""
    names = [parts] if isinstance(parts, str) else parts
    for part in names:
        for parameter in _parameters(net, part):
            parameter.requires_grad_(False)
    net.keep_still()


def depths(backbone: Backbone, coarse: bool) -> dict[str, int]:
    """The layer of each parameter, from 0 for the stem, as timm counts layers, or stages."""
    if not isinstance(backbone, TimmBackbone):
        raise IncompatibleError("this backbone is none of timm's, and its layers are not numbered")
    with torch.device("meta"):
        whole: Any = timm.create_model(backbone.name)
    grouped: Mapping[str, int] = group_parameters(whole, whole.group_matcher(coarse), reverse=True)
    layers = {plain(name): layer for name, layer in grouped.items()}
    own = (name for name, _ in backbone.net.named_parameters())
    return {f"net.{name}": layers[plain(name)] for name in own}


def layer_rates(net: KeypointNet, decay: float) -> dict[int, float]:
    """Learning rates, in shares of the full one, by the ids of the backbone's parameters.

    The neck and the head learn at the full rate, the last layer of the backbone at `decay` of it,
    each layer below at `decay` of the one above (Clark et al., 2020; Bao et al., 2022).
    """
    try:
        layers = depths(net.backbone, coarse=False)
    except IncompatibleError as error:
        raise IncompatibleError(f"layer_decay={decay:g}: {error}; choose layer_decay=1.") from error
    of, last = _named(net.backbone), max(layers.values())
    return {id(of[name]): decay ** (last + 1 - layer) for name, layer in layers.items()}


def plain(name: str) -> str:
    """The name of a tensor in the whole model, whichever way timm has taken its features out."""
    return name.removeprefix("model.").replace(".", "_")


def _named(backbone: Backbone) -> dict[str, nn.Parameter]:
    return dict(cast(nn.Module, backbone).named_parameters())


def _parameters(net: KeypointNet, part: str) -> list[nn.Parameter]:
    if part in ("backbone", "neck"):
        return list(getattr(net, part).parameters())
    number = part.removeprefix(STAGES)
    if not part.startswith(STAGES) or not number.isdigit():
        raise IncompatibleError(f"freeze={part}: choose backbone, neck, or {STAGES}N, as stages.2.")
    try:
        stages = depths(net.backbone, coarse=True)
    except IncompatibleError as error:
        raise IncompatibleError(f"freeze={part}: {error}; choose backbone.") from error
    if int(number) >= (last := max(stages.values())):
        raise IncompatibleError(
            f"freeze={part}: this backbone has stages 0 (the stem) to {last}; for all of them "
            "choose backbone."
        )
    of = _named(net.backbone)
    return [of[name] for name, stage in stages.items() if stage <= int(number)]
