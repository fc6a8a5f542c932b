"""What can be refused from the numbers and choices of a config alone: no network, no data."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from heatmap_research.config.instantiate import is_number
from heatmap_research.types import Activation, IncompatibleError, Schema

COMPILED = ("reduce-overhead", "max-autotune")  # modes of torch.compile


def is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def at_least(least: int) -> Callable[[Any], bool]:
    """Tells whole numbers that are not below this one."""
    return lambda value: is_number(value) and isinstance(value, int) and value >= least


def within(least: float, most: float) -> Callable[[Any], bool]:
    """Tells numbers from one to another, both among them."""
    return lambda value: is_number(value) and least <= value <= most


def _or_null(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _pair_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, ListConfig) and [fits(n) for n in value] == [True, True]


def _are_names(value: Any) -> bool:
    names = [] if value is None else value
    return isinstance(names, (list, ListConfig)) and all(isinstance(name, str) for name in names)


def _are_stages(value: Any) -> bool:
    return isinstance(value, ListConfig) and set(value) <= {"val", "test"}


def _are_widths(value: Any) -> bool:
    """A word or a file, which is read later; or what has been read from one."""
    return (isinstance(value, str) and value != "") or isinstance(value, DictConfig)


def _is_yes_or_no(value: Any) -> bool:
    return isinstance(value, bool)


# A key, what its values must be like, and those words.
ROOT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "image_size": (_pair_of(at_least(1)), "the height and width in pixels, as [256,192]"),
    "sigma": (is_finite, "a number of input pixels"),
    "joints": (_are_names, "names of joints, as [head,left_wrist], or null"),
    "anisotropy": (_pair_of(is_finite), "label widths along y and x in sigmas, as [1,0.9]"),
    "widths": (_are_widths, "same, oks, or a JSON or YAML file of NAME: WIDTH"),
    "beta": (is_finite, "a number"),
    "seed": (
        lambda value: at_least(0)(value) and value < 2**32,
        "a whole number from 0 to 4294967295",
    ),
    "weights": (lambda value: value is None or isinstance(value, str), "a folder or file, or null"),
    "freeze": (
        lambda value: isinstance(value, str) or (value is not None and _are_names(value)),
        "backbone, neck or stages.N, or a list of them",
    ),
    "layer_decay": (lambda value: is_number(value) and 0 < value <= 1, "a share above 0, up to 1"),
    "ema": (lambda value: is_number(value) and 0 <= value < 1, "a decay from 0 to below 1"),
    "flip_test": (_is_yes_or_no, "true or false"),
    "channels_last": (_is_yes_or_no, "true or false"),
    "compile": (
        lambda value: _is_yes_or_no(value) or value in COMPILED,
        f"true, false, {' or '.join(COMPILED)}",
    ),
    "overfit": (at_least(0), "a number of batches, 0 for all"),
    "evaluate": (_are_stages, "a list of val and test"),
    "backbone.in_chans": (at_least(1), "a number of channels, at least 1"),
    "optimizer.lr": (_or_null(within(0, 1e30)), "a learning rate, such as 0.001"),
    "trainer.max_steps": (
        lambda value: value == -1 or at_least(1)(value),
        "a number of steps, or -1 with trainer.max_epochs=NUMBER",
    ),
    "trainer.max_epochs": (
        _or_null(lambda value: value == -1 or at_least(1)(value)),
        "a number of epochs, or -1 with trainer.max_steps=NUMBER",
    ),
    "trainer.gradient_clip_val": (_or_null(within(0, 1e30)), "a norm above 0, or null"),
    "trainer.log_every_n_steps": (at_least(1), "a number of steps"),
    "trainer.accumulate_grad_batches": (at_least(1), "a number, at least 1"),
    "data.batch_size": (at_least(1), "a number of images, at least 1"),
    "data.workers": (at_least(0), "a number of processes, at least 0"),
}
LEAST_SIGMA = 0.001  # input pixels
LEAST_SHARE = 0.001  # of a sigma along one axis
MOST_BINS = 16_384  # along an axis
NEEDED = (
    *("data", "geometry", "backbone", "neck", "head", "target", "loss", "labels", "decoder"),
    *("optimizer", "schedule", "trainer"),
)


def check_root(cfg: DictConfig) -> None:
    """Raises IncompatibleError for the first senseless value or missing choice."""
    for key, (sensible, words) in ROOT.items():
        value = OmegaConf.select(cfg, key)
        if not sensible(value):
            raise IncompatibleError(f"{key}={'null' if value is None else value}: give {words}.")
    if cfg.sigma > max(cfg.image_size):
        raise IncompatibleError(
            f"sigma={cfg.sigma:g} is wider than image_size={list(cfg.image_size)}: give a label's "
            "width in input pixels, such as 2."
        )
    for part in NEEDED:
        if not cfg.get(part):
            raise IncompatibleError(f"{part}: choose at least one, such as those in conf/{part}.")
    _refuse_without_end(cfg)
    _refuse_extremes(cfg)


def _refuse_without_end(cfg: DictConfig) -> None:
    if cfg.trainer.max_steps == -1 and cfg.trainer.get("max_epochs") in (-1, None):
        raise IncompatibleError(
            "trainer.max_steps=-1 leaves the length to trainer.max_epochs, which is not given "
            "either: give one of the two."
        )


def _refuse_extremes(cfg: DictConfig) -> None:
    """Refuses lengths that are numbers, and of which nothing can be drawn."""
    if 0 < cfg.sigma < LEAST_SIGMA:
        raise IncompatibleError(
            f"sigma={cfg.sigma:g}: no map has a label so narrow; give a width in input pixels, at "
            f"least {LEAST_SIGMA:g}."
        )
    if any(0 < side < LEAST_SHARE or side > 1 / LEAST_SHARE for side in cfg.anisotropy):
        raise IncompatibleError(
            f"anisotropy={list(cfg.anisotropy)}: give label widths along y and x in sigmas, from "
            f"{LEAST_SHARE:g} to {1 / LEAST_SHARE:g}, as [1,0.9]."
        )


def stride_of(cfg: DictConfig) -> float:
    """Input pixels per bin, as a number; the command line hands 2/3 over as words."""
    try:
        stride = float(Fraction(str(cfg.stride)))
    except (ValueError, ZeroDivisionError) as error:
        raise IncompatibleError(
            f"stride={cfg.stride}: give the input pixels per bin, such as 4, 0.5 or 2/3."
        ) from error
    if stride > 0 and (bins := max(cfg.image_size) / stride) > MOST_BINS:
        raise IncompatibleError(
            f"stride={cfg.stride} makes {bins:,.0f} bins of image_size={list(cfg.image_size)} "
            f"along an axis, and {MOST_BINS:,} are the most: choose a coarser stride."
        )
    return stride


def refuse_flip_test(cfg: DictConfig, schema: Schema) -> None:
    if cfg.flip_test and not schema.mirrors:
        raise IncompatibleError(
            "flip_test=true: a joint of these data is called left or right, and has no mirror "
            "joint: choose flip_test=false, or give flip_pairs in the category of the annotations."
        )


def watched(cfg: DictConfig) -> str:
    """The figure that training is followed by, as logged; the first decoder's if none is named."""
    decoder, _, figure = cfg.monitor.rpartition("/")
    decoder = decoder or next(iter(cfg.decoder))
    if decoder not in cfg.decoder:
        raise IncompatibleError(
            f"monitor={cfg.monitor}: no decoder={decoder} here; choose {', '.join(cfg.decoder)}."
        )
    return f"val/{decoder}/{figure}"


def refuse_target_with(activation: Activation, target: DictConfig) -> None:
    """A target draws maps: a loss of maps needs one, a loss of coordinates has no use for it."""
    if activation == "coordinates" and "_target_" in target:
        raise _no_map_for("this loss compares")
    if activation != "coordinates" and "_target_" not in target:
        raise IncompatibleError(
            "target=none draws no map, and this loss compares maps: choose arm=regression "
            "(head=regression loss=l1 target=none), or a target such as gaussian."
        )


def refuse_head_with(activation: Activation, target: DictConfig, ndim: int) -> None:
    """Coordinates and maps share no head and no loss; `ndim` is 0 for a head of coordinates."""
    if not ndim and "_target_" in target:
        raise _no_map_for("this head predicts")
    if ndim and activation == "coordinates":
        raise IncompatibleError(
            "this loss compares coordinates, but this head predicts maps: choose head=regression, "
            "or a loss of maps such as loss=cross_entropy."
        )
    if not ndim and activation != "coordinates":
        raise IncompatibleError(
            "this head predicts coordinates, but this loss compares maps: choose loss=l1, "
            "smooth_l1, l2, wing or rle, or a head of maps."
        )


def _no_map_for(whose: str) -> IncompatibleError:
    return IncompatibleError(
        f"{whose} coordinates, and a target of maps does not go with it: choose arm=regression "
        "(head=regression loss=l1 target=none), or a head and a loss of maps."
    )
