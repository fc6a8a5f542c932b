"""The codecs of a grid: every value of every dimension, as options of conf/ name them."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any, Literal

import hydra
from omegaconf import DictConfig, ListConfig, OmegaConf

from heatmap_research.analysis.theory.ceiling_table import described
from heatmap_research.analysis.theory.round_trip import Representation
from heatmap_research.config.codec import codec_of
from heatmap_research.config.instantiate import instantiate, is_number, with_values
from heatmap_research.config.job import prepare
from heatmap_research.config.values import ROOT, refuse_target_with
from heatmap_research.types import IncompatibleError, Schema

DIMENSIONS = (  # the last change fastest
    *("image_size", "layout", "target", "sigma", "stride", "geometry", "flip_test"),
    "uncertainty",
)
LAYOUTS: dict[str, Literal[1, 2]] = {"2d": 2, "1d": 1}
KEPT = ("loss", "labels", "decoder", "anisotropy", "widths", "beta", "score")


def representations(cfg: DictConfig, joints: Schema) -> Iterator[Representation]:
    """Yields every codec of every grid once; decoders that share an encoding come together."""
    wanted: dict[tuple[Any, ...], list[str]] = {}
    for name, grid in cfg.grids.items():
        lists = _values(cfg, str(name), grid)
        for point in product(*(lists[dimension] for dimension in DIMENSIONS)):
            decoders = wanted.setdefault((lists["loss"][0], *point), [])
            decoders += [each for each in lists["decoder"] if each not in decoders]
    done: set[tuple[Any, ...]] = set()
    for (loss, *values), decoders in wanted.items():
        chosen = dict(zip(DIMENSIONS, values, strict=True))
        made = _representation(_base(loss, tuple(decoders)), chosen, joints)
        new = {name: tuple(described(made, name).values()) for name in made.codec.decoders}
        fresh = {name: made.codec.decoders[name] for name, key in new.items() if key not in done}
        done.update(new.values())
        if fresh:
            yield replace(made, codec=replace(made.codec, decoders=fresh))


def _values(cfg: DictConfig, name: str, grid: DictConfig) -> dict[str, list[Any]]:
    """The values of every dimension, given on the command line for all grids or by this one."""
    dimensions = (*DIMENSIONS, "decoder", "loss")
    if not isinstance(grid, DictConfig) or (strange := [k for k in grid if k not in dimensions]):
        wrong = strange[0] if isinstance(grid, DictConfig) else grid
        raise IncompatibleError(f"grids.{name}: {wrong!s}: give {', '.join(dimensions)}.")
    values: dict[str, list[Any]] = {"image_size": _sizes(cfg.image_size)}
    for dimension in dimensions[1:]:
        value = grid.get(dimension) if cfg.every[dimension] is None else cfg.every[dimension]
        listed = list(value) if isinstance(value, ListConfig) else [value]
        if not listed or None in listed:
            raise IncompatibleError(f"{dimension}={value}: give at least one, or a list.")
        values[dimension] = list(dict.fromkeys(listed))
    if len(values["loss"]) > 1:
        raise IncompatibleError(f"loss={values['loss']}: a grid has one loss; choose it.")
    for dimension, sensible, words in (
        ("layout", lambda value: value in LAYOUTS, "choose 2d, 1d or both"),
        ("flip_test", lambda value: isinstance(value, bool), "choose false, true or both"),
        ("sigma", is_number, "give numbers of input pixels"),
        ("uncertainty", is_number, "give numbers of input pixels"),
    ):
        if refused := [value for value in values[dimension] if not sensible(value)]:
            raise IncompatibleError(f"{dimension}={refused[0]}: {words}.")
    return values


def _sizes(given: Any) -> list[tuple[int, int]]:
    many = isinstance(given, ListConfig) and all(isinstance(one, ListConfig) for one in given)
    sizes = list(given) if many else [given]
    sensible, words = ROOT["image_size"]
    if not sizes or not all(sensible(size) for size in sizes):
        raise IncompatibleError(f"image_size={given}: give {words}.")
    return list(dict.fromkeys((size[0], size[1]) for size in sizes))


def _representation(base: DictConfig, chosen: dict[str, Any], joints: Schema) -> Representation:
    target = _option("target", chosen["target"])
    cfg = with_values(
        base,
        target=target,
        geometry=_option("geometry", chosen["geometry"]),
        sigma=chosen["sigma"],
        stride=chosen["stride"],
        image_size=list(chosen["image_size"]),
        tolerances=list(joints.sigmas),
    )
    loss, decoders = instantiate(cfg.loss, "loss"), instantiate(cfg.decoder, "decoder")
    refuse_target_with(loss.activation, cfg.target)
    codec = codec_of(cfg, LAYOUTS[chosen["layout"]], loss, decoders)
    names = {name: _has_sigma(target) or _has_sigma(base.decoder[name]) for name in base.decoder}
    return Representation(
        codec=codec,  # type: ignore[arg-type]  # of maps, for both layouts
        layout=chosen["layout"],
        target=chosen["target"],
        geometry=chosen["geometry"],
        sigmas={name: float(chosen["sigma"]) if has else None for name, has in names.items()},
        flip_test=chosen["flip_test"],
        uncertainty=float(chosen["uncertainty"]),
    )


@cache
def _base(loss: str, decoders: tuple[str, ...]) -> DictConfig:
    """The parts of heatmap-train's config that a codec is made of."""
    cfg = hydra.compose("train", [f"loss={loss}"])
    listed = hydra.compose(overrides=[f"+decoder=[{','.join(decoders)}]"]).decoder
    cfg = prepare(with_values(cfg, decoder=listed), {}).config  # all and main stand for others
    OmegaConf.set_readonly(cfg, True)
    return OmegaConf.masked_copy(cfg, list(KEPT))


@cache
def _option(group: str, name: str) -> DictConfig:
    return hydra.compose(overrides=[f"+{group}={name}"])[group]


def _has_sigma(node: DictConfig) -> bool:
    return "${sigma}" in OmegaConf.to_yaml(node)
