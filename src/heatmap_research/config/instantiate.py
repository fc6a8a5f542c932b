"""From a part of the config to objects; what it gets wrong is said in the config's own words."""

import difflib
import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import UnionType
from typing import Any, Union, get_args, get_origin

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, open_dict

from heatmap_research.config.trusted import located, refuse_unknown
from heatmap_research.types import IncompatibleError, first_line

logging.getLogger("hydra.utils").disabled = True  # it also prints what it raises


def instantiate(node: Any, path: str) -> Any:
    """The object that a part of the config describes; refuses keys that nothing takes."""
    refuse_strays(node, path)
    return make(node, path)


def make(node: Any, path: str) -> Any:
    """The same for a part whose keys have been looked at."""
    refuse_unknown(node, path)
    with making(path):
        return hydra.utils.instantiate(node, _convert_="all")


def maker(node: Any, path: str) -> partial[Any]:
    """A callable for such a part that is made more than once, or that lacks an argument as yet.

    It is called within `making(path)`, so that what it refuses is said as if it were made here.
    """
    refuse_unknown(node, path)
    with making(path):
        return hydra.utils.instantiate(node, _convert_="all", _partial_=True)


def refuse_strays(node: Any, path: str) -> None:
    """Refuses a key that no signature takes, and words where a number is taken."""
    if not isinstance(node, (DictConfig, dict)):
        return
    if "_target_" in node:
        _compare(node, path)
    for key, value in node.items():
        refuse_strays(value, f"{path}.{key!s}")


@contextmanager
def making(path: str) -> Iterator[None]:
    """Errors of what is made become refusals: its own words, or a line that names the path."""
    try:
        yield
    except Exception as error:
        cause = (error.__cause__ or error) if isinstance(error, InstantiationException) else error
        if isinstance(cause, IncompatibleError):
            raise cause from error
        if isinstance(cause, ValueError) and "\n" not in str(cause):
            raise IncompatibleError(str(cause)) from error
        with refusing(path, Exception):
            raise cause from error


@contextmanager
def refusing(path: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns what a library says against the values under a path into a line that names it."""
    try:
        yield
    except IncompatibleError:
        raise
    except (ValueError, TypeError, RuntimeError, *errors) as error:
        raise IncompatibleError(f"{path}: {first_line(error)}") from error


def with_values(cfg: DictConfig, **values: Any) -> DictConfig:
    cfg = cfg.copy()
    with open_dict(cfg):
        cfg.update(values)
    return cfg


def did_you_mean(word: str, known: list[str]) -> str:
    """A sentence with the known key that is nearest, or nothing."""
    *parents, last = word.split(".")
    close = difflib.get_close_matches(last, set(known) - {last, *parents}, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _compare(node: Any, path: str) -> None:
    target = node["_target_"]
    takes = inspect.signature(located(target, f"{path}._target_")).parameters
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


def _number_wanted(annotation: Any, value: Any) -> str | None:
    """Which kind of number an argument takes, if this value is none of that kind."""
    union = get_origin(annotation) in (Union, UnionType)
    kinds = set(get_args(annotation) if union else (annotation,))
    optional = type(None) in kinds
    others = kinds - {int, float, type(None)}  # such as a tensor, which is only given as a word
    if not kinds & {int, float} or str in others or (others and not isinstance(value, str)):
        return None
    fits = is_number(value) and (float in kinds or isinstance(value, int))
    if fits or (optional and value is None):
        return None
    return ("a number" if float in kinds else "a whole number") + " or null" * optional
