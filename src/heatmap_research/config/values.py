"""What can be refused from the numbers of a config alone: no network, no data, no torch."""

import difflib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from heatmap_research.codec.codec import Codec, Widths, readable
from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.codec.grid import Grid
from heatmap_research.types import Activation, IncompatibleError, Schema


def _number_wanted(annotation: Any, value: Any) -> str | None:
    """What kind of number is taken here, if this is none."""
    union = get_origin(annotation) in (Union, UnionType)
    kinds = set(get_args(annotation) if union else (annotation,))
    optional = type(None) in kinds
    kinds -= {type(None)}
    others = kinds - {int, float}  # such as a tensor, which a config can only give as a word
    if kinds == others or str in others or (others and not isinstance(value, str)):
        return None
    fits = is_number(value) and (float in kinds or isinstance(value, int))
    if fits or (optional and value is None):
        return None
    return ("a number" if float in kinds else "a whole number") + " or null" * optional


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_size(value: Any) -> bool:
    return isinstance(value, ListConfig) and len(value) == 2 and all(_is_whole(n, 1) for n in value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, ListConfig) and len(value) == 2 and all(_is_finite(n) for n in value)


ROOT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "image_size": (_is_size, "the height and width in pixels, as [256,192]"),
    "sigma": (_is_finite, "a number of input pixels"),
    "joints": (
        lambda value: (
            value is None
            or (isinstance(value, ListConfig) and all(isinstance(name, str) for name in value))
        ),
        "names of joints, as [head,left_wrist], or null",
    ),
    "anisotropy": (_is_pair, "label widths along y and x in sigmas, as [1,0.9]"),
    "widths": (lambda value: value in ("same", "oks"), "same or oks"),
    "beta": (_is_finite, "a number"),
    "seed": (lambda value: _is_whole(value, 0), "a whole number, at least 0"),
    "ema": (lambda value: is_number(value) and 0 <= value < 1, "a decay from 0 to below 1"),
    "flip_test": (lambda value: isinstance(value, bool), "true or false"),
    "channels_last": (lambda value: isinstance(value, bool), "true or false"),
    "overfit": (lambda value: _is_whole(value, 0), "a number of batches, 0 for all"),
    "evaluate": (
        lambda value: isinstance(value, ListConfig) and set(value) <= {"val", "test"},
        "a list of val and test",
    ),
    "backbone.in_chans": (lambda value: _is_whole(value, 1), "a number of channels, at least 1"),
    "trainer.log_every_n_steps": (lambda value: _is_whole(value, 1), "a number of steps"),
    "trainer.accumulate_grad_batches": (lambda value: _is_whole(value, 1), "a number, at least 1"),
    "data.batch_size": (lambda value: _is_whole(value, 1), "a number of images, at least 1"),
    "data.workers": (lambda value: _is_whole(value, 0), "a number of processes, at least 0"),
}
NEEDED = (
    *("data", "geometry", "backbone", "neck", "head", "target", "loss", "labels", "decoder"),
    *("optimizer", "schedule", "trainer"),
)


def instantiate(node: Any, path: str) -> Any:
    """The objects a part of the config describes, or what is wrong with it in its own words."""
    refuse_strays(node, path)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, IncompatibleError):
            raise cause from error
        if isinstance(cause, ValueError) and "\n" not in str(cause):
            raise IncompatibleError(str(cause)) from error
        with refusing(path, Exception):
            raise cause from error


def refuse_strays(node: Any, path: str) -> None:
    """Refuses a key that no signature takes, and words where a number is taken."""
    if not isinstance(node, (DictConfig, dict)):
        return
    if "_target_" in node:
        _compare(node, path)
    for key, value in node.items():
        refuse_strays(value, f"{path}.{key!s}")


@contextmanager
def refusing(path: str, *errors: type[Exception]) -> Iterator[None]:
    """What a library says against the values under a path, in a line that names it."""
    try:
        yield
    except IncompatibleError:
        raise
    except (ValueError, TypeError, RuntimeError, *errors) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise IncompatibleError(f"{path}: {next(iter(lines), type(error).__name__)}") from error


def check_values(cfg: DictConfig) -> None:
    """Raises IncompatibleError for the first senseless value or pair of choices."""
    check_root(cfg)
    schema = instantiate(cfg.data.schema, "data.schema")
    loss = instantiate(cfg.loss, "loss")
    codec_of(cfg, 0 if loss.activation == "coordinates" else 1, schema.sigmas)


def check_root(cfg: DictConfig) -> None:
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


def codec_of(
    cfg: DictConfig, ndim: Literal[0, 1, 2], tolerances: Sequence[float]
) -> Codec | CoordinateCodec:
    """Of a head with so many axes a map, and joints with these OKS sigmas."""
    cfg = with_values(cfg, tolerances=list(tolerances))
    parts = {part: instantiate(cfg[part], part) for part in ("loss", "labels")}
    parts["decoders"] = instantiate(cfg.decoder, "decoder")
    _refuse_mixed(ndim, cfg, parts["loss"].activation)
    with _as_incompatible():
        geometry = instantiate(cfg.geometry, "geometry")
        grid = Grid(_image_size(cfg), _stride(cfg), ndim, geometry)
        if ndim == 0:
            return CoordinateCodec(grid=grid, **parts)
        high, wide = cfg.anisotropy
        mean = sum(tolerances) / len(tolerances)
        relative = tuple(tolerance / mean for tolerance in tolerances)
        widths = Widths((high, wide), relative if cfg.widths == "oks" else None)
        target = instantiate(cfg.target, "target")
        return Codec(grid, target, **parts, score=cfg.score, widths=widths, beta=cfg.beta)


def readable_decoders(cfg: DictConfig, options: Mapping[str, Any]) -> dict[str, bool]:
    """Which of these decoders have a meaning for the maps this config's loss trains."""
    loss = instantiate(cfg.loss, "loss")
    cfg = with_values(cfg, tolerances=[1.0], decoder=options)
    made = {name: instantiate(cfg.decoder[name], f"decoder.{name}") for name in options}
    return {name: readable(decoder.needs, loss.activation) for name, decoder in made.items()}


def with_values(cfg: DictConfig, **values: Any) -> DictConfig:
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.update(values)
    return cfg


def watched(cfg: DictConfig) -> str:
    """The figure that training is followed by, as logged; of the first decoder if none is named."""
    decoder, _, figure = cfg.monitor.rpartition("/")
    decoder = decoder or next(iter(cfg.decoder))
    if decoder not in cfg.decoder:
        raise IncompatibleError(
            f"monitor={cfg.monitor}: no decoder={decoder} here; choose {', '.join(cfg.decoder)}."
        )
    return f"val/{decoder}/{figure}"


def with_schema(cfg: DictConfig) -> tuple[DictConfig, Schema]:
    """The joints that are learnt, and the config with their names and tolerances filled in."""
    schema = instantiate(cfg.data.schema, "data.schema")
    with refusing("joints"):
        schema = schema if cfg.joints is None else schema.only(list(cfg.joints))
    return with_values(cfg, tolerances=list(schema.sigmas), names=list(schema.names)), schema


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """The config as a record keeps it, and as its hash is taken."""
    return cast(dict[str, Any], OmegaConf.to_container(with_schema(cfg)[0], resolve=True))


def did_you_mean(word: str, known: list[str]) -> str:
    *parents, last = word.split(".")
    close = difflib.get_close_matches(last, set(known) - {last, *parents}, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _compare(node: Any, path: str) -> None:
    target = node["_target_"]
    try:
        takes = inspect.signature(hydra.utils.get_object(target)).parameters
    except (ImportError, AttributeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise IncompatibleError(f"{path}._target_={target} cannot be had: {reason}") from error
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        return
    for key, value in node.items():
        if str(key).startswith("_"):
            continue
        if key not in takes:
            known = [name for name in takes if name != "self"]
            raise IncompatibleError(
                f"{path}.{key}={value}: {target.rsplit('.', 1)[-1]} takes "
                f"{', '.join(known) or 'no values'}.{did_you_mean(str(key), known)}"
            )
        if wanted := _number_wanted(takes[key].annotation, value):
            raise IncompatibleError(f"{path}.{key}={value}: give {wanted}.")


@contextmanager
def _as_incompatible() -> Iterator[None]:
    try:
        yield
    except IncompatibleError:
        raise
    except ValueError as error:
        raise IncompatibleError(str(error)) from error


def _refuse_mixed(ndim: int, cfg: DictConfig, activation: Activation) -> None:
    """Coordinates and maps share no loss and no target."""
    wants_map = "_target_" in cfg.target
    if wants_map and (activation == "coordinates" or not ndim):
        whose = "this loss compares" if activation == "coordinates" else "this head predicts"
        raise IncompatibleError(
            f"{whose} coordinates, and a target of maps does not go with it: choose arm=regression "
            "(head=regression loss=l1 target=none), or a head and a loss of maps."
        )
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
    if ndim and not wants_map:
        raise IncompatibleError(
            "target=none draws no map, and this loss compares maps: choose arm=regression "
            "(head=regression loss=l1 target=none), or a target such as gaussian."
        )


def _image_size(cfg: DictConfig) -> tuple[int, int]:
    height, width = cfg.image_size
    return height, width


def _stride(cfg: DictConfig) -> float:
    """The command line hands 2/3 over as words."""
    try:
        return float(Fraction(str(cfg.stride)))
    except (ValueError, ZeroDivisionError) as error:
        raise IncompatibleError(
            f"stride={cfg.stride}: give the input pixels per bin, such as 4, 0.5 or 2/3."
        ) from error
