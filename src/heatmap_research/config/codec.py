"""From the config to a codec, and to the decoders that can read its maps."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, ListConfig

from heatmap_research.codec.codec import Codec, Widths
from heatmap_research.codec.coordinate_codec import AnyCodec, CoordinateCodec
from heatmap_research.codec.grid import Grid
from heatmap_research.config.instantiate import instantiate
from heatmap_research.config.values import stride_of
from heatmap_research.types import IncompatibleError

STAND_FOR_OTHERS = ("all", "main")  # options of decoder that name others


def codec_of(
    cfg: DictConfig, ndim: Literal[0, 1, 2], loss: Any, decoders: Mapping[str, Any]
) -> AnyCodec:
    """Builds the codec for a head whose maps have `ndim` axes, 0 if it answers with coordinates."""
    labels = instantiate(cfg.labels, "labels")
    geometry = instantiate(cfg.geometry, "geometry")
    height, width = cfg.image_size
    try:
        grid = Grid((height, width), stride_of(cfg), ndim, geometry)
        if not ndim:
            return CoordinateCodec(grid, loss, decoders, labels)
        target = instantiate(cfg.target, "target")
        return Codec(grid, target, loss, decoders, labels, cfg.score, _widths(cfg), cfg.beta)
    except ValueError as error:
        raise IncompatibleError(str(error)) from error


def stood_for(decoders: DictConfig) -> dict[str, DictConfig]:
    """The options that `all`, `main` or a list of names stands for, by name."""
    names: list[str] = []
    for node in decoders.values():
        if isinstance(node, ListConfig):
            names += node
        elif not is_option(node):
            names += GlobalHydra.instance().config_loader().get_group_options("decoder")
    options = tuple(name for name in dict.fromkeys(names) if name not in STAND_FOR_OTHERS)
    return _composed(options) if options else {}


def is_option(node: Any) -> bool:
    """Whether a node describes one decoder, and not a list of others."""
    return isinstance(node, DictConfig) and "_target_" in node


@cache
def _composed(names: tuple[str, ...]) -> dict[str, DictConfig]:
    options = compose(overrides=[f"+decoder=[{','.join(names)}]"]).decoder
    return {name: options[name] for name in names}


def _widths(cfg: DictConfig) -> Widths:
    high, wide = cfg.anisotropy
    if cfg.widths == "same":
        return Widths((high, wide), None)
    if cfg.widths != "oks":  # numbers of each joint, by its name
        return Widths((high, wide), _about_one([cfg.widths[name] for name in cfg.names]))
    if cfg.tolerances is None:
        raise IncompatibleError(
            "widths=oks: the annotations give no OKS tolerances: choose widths=same, or give one a "
            "joint, data.sigmas=[...]."
        )
    return Widths((high, wide), _about_one(cfg.tolerances))


def _about_one(widths: Sequence[float]) -> tuple[float, ...]:
    """In the same proportion, with a mean of one: of `sigma`."""
    mean = sum(widths) / len(widths)
    return tuple(width / mean for width in widths)
