"""What can be refused from the numbers of a config alone: no network, no data, no torch."""

import difflib
import inspect
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, open_dict

from heatmap_research.codec import Codec, readable
from heatmap_research.grid import Grid
from heatmap_research.types import IncompatibleError


def instantiate(node: Any, path: str) -> Any:
    """The objects a part of the config describes, or what is wrong with it in its own words."""
    refuse_strays(node, path)
    try:
        return hydra.utils.instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, ValueError):
            raise IncompatibleError(str(cause)) from error
        raise IncompatibleError(f"{path}: {cause}") from error


def refuse_strays(node: Any, path: str) -> None:
    """Refuses a key that no signature takes, and words where a number is taken."""
    if not isinstance(node, (DictConfig, dict)):
        return
    if "_target_" in node:
        _compare(node, path)
    for key, value in node.items():
        refuse_strays(value, f"{path}.{key!s}")


def check_values(cfg: DictConfig) -> None:
    """Raises IncompatibleError for the first senseless value or pair of choices."""
    codec_of(cfg, ndim=2)  # both layouts refuse the same


def codec_of(cfg: DictConfig, ndim: Literal[1, 2]) -> Codec:
    parts = {part: instantiate(cfg[part], part) for part in ("target", "loss", "labels")}
    decoders = instantiate(cfg.decoder, "decoder")
    try:
        grid = Grid(_image_size(cfg), _stride(cfg), ndim, instantiate(cfg.geometry, "geometry"))
        return Codec(grid=grid, decoders=decoders, score=cfg.score, **parts)
    except IncompatibleError:
        raise
    except ValueError as error:
        raise IncompatibleError(str(error)) from error


def readable_decoders(cfg: DictConfig, options: Mapping[str, Any]) -> dict[str, bool]:
    """Which of these decoders have a meaning for the maps this config's loss trains."""
    loss = instantiate(cfg.loss, "loss")
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.decoder = options
    made = {name: instantiate(cfg.decoder[name], f"decoder.{name}") for name in options}
    return {name: readable(decoder, loss) for name, decoder in made.items()}


def did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _compare(node: Any, path: str) -> None:
    target = node["_target_"]
    try:
        takes = inspect.signature(hydra.utils.get_object(target)).parameters
    except (ImportError, AttributeError, ValueError) as error:
        raise IncompatibleError(f"{path}._target_={target} cannot be had: {error}") from error
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
        if takes[key].annotation in (int, float) and isinstance(value, str):
            raise IncompatibleError(f"{path}.{key}={value}: give a number.")


def _image_size(cfg: DictConfig) -> tuple[int, int]:
    size = tuple(cfg.image_size)
    if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise IncompatibleError(
            f"image_size={cfg.image_size}: give the height and width in pixels, as [256,192]."
        )
    return size


def _stride(cfg: DictConfig) -> float:
    """The command line hands 2/3 over as words."""
    try:
        return float(Fraction(str(cfg.stride)))
    except (ValueError, ZeroDivisionError) as error:
        raise IncompatibleError(
            f"stride={cfg.stride}: give the input pixels per bin, such as 4, 0.5 or 2/3."
        ) from error
