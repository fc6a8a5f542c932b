"""One config on its one way: completed, checked and handed on as a Job."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf, open_dict

from heatmap_research.codec.codec import readable
from heatmap_research.codec.coordinate_codec import AnyCodec
from heatmap_research.config import instantiate, timm_names, values
from heatmap_research.config.codec import codec_of, is_option, stood_for
from heatmap_research.config.held_out import with_held_out
from heatmap_research.config.monitor import with_mode
from heatmap_research.config.tolerances import (
    lacks_tolerances,
    refuse_without_tolerances,
    with_tolerances,
)
from heatmap_research.config.widths import with_widths
from heatmap_research.runs.former_paths import with_current_paths
from heatmap_research.runs.record import OF_PLACE
from heatmap_research.types import Activation, Schema


def of_side(share: float, _root_: DictConfig) -> float:
    """A length in input pixels, from its share of the image's height: `sigma=${of_side:0.04}`."""
    return share * _root_.image_size[0]


# Root keys that a config stored before they came does not have, as it was then.
CAME_LATER: dict[str, Any] = dict(weights=None, freeze=[], layer_decay=1.0, compile=False)

OmegaConf.register_new_resolver("of_side", of_side, replace=True)


@dataclass(frozen=True)
class Job:
    """What a run is made of: a config in which nothing is left open, and what follows from it."""

    config: DictConfig
    choices: Mapping[str, Any]  # which option of each group
    of_data: Schema  # of all joints that the data have
    schema: Schema  # of the joints that are learnt
    unread: tuple[str, ...]  # decoders left out, because they cannot read these maps
    watched: str  # the figure that training is followed by, as it is logged
    loss: partial[Any]  # makes the loss: anew for each network, since a loss may learn
    codec: AnyCodec  # checked; its grid learns the head's axes when that is built
    metrics: Mapping[str, Any]  # of which each network has copies

    @cached_property
    def record(self) -> dict[str, Any]:
        """The config as a record keeps it, and as its hash is taken."""
        return cast(dict[str, Any], OmegaConf.to_container(self.config, resolve=True))

    @property
    def names(self) -> tuple[str, ...]:
        return self.of_data.names

    @property
    def joints(self) -> list[int] | None:
        """Places, among the joints of the data, of those that are learnt; None for all."""
        if self.config.joints is None:
            return None
        return [self.names.index(name) for name in self.schema.names]

    def codec_of(self, head: Any) -> AnyCodec:
        """The codec with the axes of this head's maps; refuses a head of another kind."""
        ndim = head.func.ndim  # of a partial: a head is made when its levels are known
        values.refuse_head_with(self.codec.loss.activation, self.config.target, ndim)
        with instantiate.making("head"):
            return replace(self.codec, grid=replace(self.codec.grid, ndim=ndim))

    def but(self, **changes: Any) -> "Job":
        """The same with other values that no part of it is made from, such as `flip_test`."""
        return replace(self, config=instantiate.with_values(self.config, **changes))


def prepare(cfg: DictConfig, choices: Mapping[str, Any]) -> Job:
    """Completes and checks a config from top to bottom; refuses what cannot be meant."""
    cfg = _of_today(cfg)
    values.check_root(cfg)
    timm_names.refuse_unknown(cfg.backbone)
    cfg = with_held_out(cfg)
    data: Schema = instantiate.instantiate(cfg.data.schema, "data.schema")
    with instantiate.refusing("joints"):
        schema = data if cfg.joints is None else data.only(list(cfg.joints))
    cfg = instantiate.with_values(cfg, names=list(schema.names))
    cfg = with_widths(with_tolerances(cfg, schema))
    values.refuse_flip_test(cfg, schema)
    instantiate.refuse_strays(cfg.loss, "loss")
    make_loss = instantiate.maker(cfg.loss, "loss")
    with instantiate.making("loss"):
        loss = make_loss()
    decoders, unread = _complete_decoders(cfg, loss.activation)
    values.refuse_target_with(loss.activation, cfg.target)
    codec = codec_of(cfg, 0 if loss.activation == "coordinates" else 1, loss, decoders)
    watched = values.watched(cfg)
    metrics = instantiate.instantiate(cfg.metric, "metric")  # late: they import torch
    cfg = with_mode(cfg, metrics)
    return Job(cfg, choices, data, schema, unread, watched, make_loss, codec, metrics)


def _of_today(cfg: DictConfig) -> DictConfig:
    """The config with the present paths of classes that have moved since it was written, and
    without what says where its run is put."""
    written: Any = OmegaConf.to_container(cfg, resolve=False)
    kept = {key: written[key] for key in written if key not in OF_PLACE}
    today = with_current_paths(CAME_LATER | kept)
    if today == written:
        return cfg
    flags = {"struct": bool(OmegaConf.is_struct(cfg))}
    return cast(DictConfig, OmegaConf.create(today, flags=flags))


def _complete_decoders(
    cfg: DictConfig, activation: Activation
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Puts the decoders that `all` or `main` stands for in place; returns them made, and the names
    of those that cannot read these maps, which are left out."""
    given = {name: node for name, node in cfg.decoder.items() if is_option(node)}
    options = stood_for(cfg.decoder)
    with open_dict(cfg):
        cfg.decoder = options | given
    instantiate.refuse_strays(cfg.decoder, "decoder")
    lacking = [name for name, node in cfg.decoder.items() if lacks_tolerances(node)]
    for name in lacking:
        refuse_without_tolerances(f"decoder={name}", name in given)
    able = [name for name in cfg.decoder if name not in lacking]
    made = {n: instantiate.make(cfg.decoder[n], f"decoder.{n}") for n in able}
    unread = tuple(
        name
        for name in options
        if name not in given and (name in lacking or not readable(made[name].needs, activation))
    )
    with open_dict(cfg):
        for name in unread:
            del cfg.decoder[name]
    return {name: made[name] for name in cfg.decoder}, unread
